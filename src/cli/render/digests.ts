/** Digests of several epochs, for people and for scripts. */
import { escapeText } from '../../bytes/printable.ts';
import type { DigestResult, EpochDigest } from '../../seal/digest.ts';

export function digestTable(digests: readonly EpochDigest[]): string {
  const rows = digests.map(({ epoch, digest, error }) => [
    epoch.name,
    `${epoch.version} ${epoch.algorithm}`,
    epoch.bootc === '' ? 'none yet' : epoch.bootc,
    digest ?? `refused: ${escapeText(error?.message ?? '')}`,
  ]);
  const all = [['epoch', 'format', 'bootc', 'digest'], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all
    .map(
      (row) =>
        row
          .map((cell, column) => cell.padEnd(widths[column]))
          .join('  ')
          .trimEnd() + '\n',
    )
    .join('');
}

export function digestJson({ image, digests, paths }: DigestResult): Record<string, unknown> {
  const list = digests.map(({ epoch, digest, error }) => ({
    epoch: epoch.name,
    erofs: epoch.version,
    hash: epoch.algorithm,
    xattrs: epoch.xattrs,
    bootNsec: epoch.bootNsec,
    boot: epoch.boot,
    ...(digest === undefined ? { error: { code: error?.code, message: error?.message } } : { digest }),
  }));
  return { image, paths, ...(list.length === 1 ? list[0] : { digests: list }) };
}
