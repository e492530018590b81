/** Digests of several epochs, for people and for scripts. */
import { escapeText } from '../../bytes/printable.ts';
import { pathText } from '../../composefs/diff.ts';
import type { LintFinding } from '../../composefs/lint.ts';
import type { DigestResult, EpochDigest } from '../../seal/digest.ts';
import type { Candidate, FromUkiResult } from '../../seal/digest-from-uki.ts';
import type { Step } from '../../steps.ts';
import { countText } from './units.ts';

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
  return {
    ...(image !== undefined && { image }),
    paths,
    ...(list.length === 1 ? list[0] : { digests: list }),
  };
}

export function lintSteps(findings: readonly LintFinding[]): Step[] {
  return findings.map(({ severity, code, message, hint, count, paths }) => {
    const names = paths.map(pathText).join(', ');
    const more = count > paths.length && paths.length > 0 ? `, … (${countText(count)} in all)` : '';
    return {
      id: code.replace('digest-lint/', ''),
      title: code.replace('digest-lint/', ''),
      state: severity === 'error' ? 'failed' : 'warning',
      summary: pathText(message),
      ...(names !== '' && { details: [{ label: 'paths', value: names + more }] }),
      code,
      hint,
    };
  });
}

/** Paths as text, as everywhere in JSON. */
export function lintJson(findings: readonly LintFinding[]): readonly LintFinding[] {
  return findings.map((finding) => ({
    ...finding,
    message: pathText(finding.message),
    paths: finding.paths.map(pathText),
  }));
}

export function ukiMatchSteps({ ukis }: FromUkiResult): Step[] {
  return ukis.map(({ uki, promised, optional, matches }): Step => {
    const details = [
      ...matches.map((match) => ({ label: 'rules', value: candidateText(match) })),
      ...(optional
        ? [{ label: 'note', value: 'written composefs=?: the system boots unverified as well' }]
        : []),
    ];
    const base = { id: 'uki', title: 'uki', summary: `${pathText(uki)}  composefs=${promised}`, details };
    return matches.length > 0
      ? { ...base, state: 'passed' }
      : { ...base, state: 'failed', code: 'seal/digest-mismatch' };
  });
}

/** A match of other rules than those of its kind of tree says how the digest was made. */
function candidateText({ epoch, source }: Candidate): string {
  const releases = epoch.bootc === '' ? 'no release yet' : `bootc ${epoch.bootc}`;
  return `${epoch.name} (${releases}, ${epoch.version} ${epoch.algorithm}, xattrs as for ${source === 'layers' ? 'layers' : 'a directory'})`;
}

export function ukiMatchJson({ image, ukis, candidates }: FromUkiResult): Record<string, unknown> {
  const described = ({ epoch, source, digest }: Candidate): Record<string, unknown> => ({
    epoch: epoch.name,
    erofs: epoch.version,
    hash: epoch.algorithm,
    source,
    ...(digest !== undefined && { digest }),
  });
  return {
    ...(image !== undefined && { image }),
    ukis: ukis.map(({ uki, promised, optional, matches }) => ({
      uki: pathText(uki),
      composefs: promised,
      optional,
      matches: matches.map(described),
    })),
    candidates: candidates.map(described),
  };
}
