/**
 * Where a look-aside store keeps the signatures of a manifest: `BASE/PATH@sha256=HEX/signature-N`, N from 1
 * (signature-protocols.md of containers/image). The host of the image is not part of it: two registries that share a
 * base share the signatures of repositories with the same path.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BootsealError } from '../../errors.ts';
import { digestParts, type Digest } from '../../formats/oci/digest.ts';

export interface LookasideLocation {
  /** Lower-case; empty where the base has none. */
  readonly scheme: string;
  /** The folder, for people: without user and password. */
  readonly shown: string;
  /** Absolute; only for `file`. */
  readonly folder: string;
  /** As the peers write it in their messages. */
  text(number: number): string;
  /** Only for `http` and `https`. */
  url(number: number): URL;
}

/** `base` as registries.d has it; `path` is the repository without its host. Throws `lookaside/bad-url`. */
export function lookasideLocation(base: string, path: string, digest: Digest): LookasideLocation {
  // Both come from grammars without dots between slashes, so that neither leads out of the base.
  const { algorithm, hex } = digestParts(digest);
  const folder = `/${path}@${algorithm}=${hex}`;
  const [, beforeQuery, query = ''] = /^([^?#]*)(\?[^#]*)?/s.exec(base)!;
  const scheme = (/^([A-Za-z][A-Za-z0-9+.-]*):/.exec(beforeQuery)?.[1] ?? '').toLowerCase();
  const stem = scheme === '' ? beforeQuery : `${scheme}${beforeQuery.slice(scheme.length)}`;
  const text = (number: number): string => `${stem}${folder}/signature-${number}${query}`;
  const shown = `${stem.replace(/\/\/[^/@]*@/, '//')}${folder}`;
  return {
    scheme,
    shown,
    folder: scheme === 'file' ? filePath(stem, base) + folder : '',
    text: (number) => text(number).replace(/\/\/[^/@]*@/, '//'),
    url: (number) => asUrl(text(number)),
  };
}

/** What follows the host, percent-decoded. A host is ignored, as the peers do. */
function filePath(stem: string, base: string): string {
  const path = stem.slice('file:'.length).replace(/^\/\/[^/]*/, '');
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch (cause) {
    throw badUrl(base, cause);
  }
  if (decoded.includes('\0')) throw badUrl(base);
  return decoded;
}

function asUrl(text: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw badUrl(text, cause);
  }
}

function badUrl(base: string, cause?: unknown): BootsealError {
  return new BootsealError('lookaside/bad-url', `Invalid signature storage URL ${JSON.stringify(base)}`, {
    cause,
    hint: 'correct the lookaside setting in registries.d',
  });
}

/** What the peers read and write where no file of registries.d says otherwise. `uid` 0 is the administrator. */
export function defaultLookaside(env: NodeJS.ProcessEnv, uid: number = process.getuid?.() ?? -1): string {
  const folder =
    uid === 0
      ? '/var/lib/containers/sigstore'
      : join(env['HOME'] || homedir(), '.local/share/containers/sigstore');
  return `file://${encodeURI(folder)}`;
}
