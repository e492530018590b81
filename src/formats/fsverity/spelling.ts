/**
 * Ways to write an fs-verity digest: bare hexadecimal on command lines, `sha512:HEX` in messages, `v1-sha512-12:HEX` in
 * `composefs.digest=` of a kernel command line, and `fsverity-sha512-12` for the algorithm alone.
 */
import { decodeHex } from '../../bytes/hex.ts';
import { BootsealError } from '../../errors.ts';
import { VERITY_DIGEST_SIZE, type VerityAlgorithm } from './format.ts';

export interface SpelledDigest {
  readonly algorithm: VerityAlgorithm;
  readonly digest: Uint8Array;
  /** Of the image that it is the digest of, where the spelling says so. */
  readonly version?: 'v1' | 'v2';
}

/** Blocks of 2^12 bytes are the only ones that composefs knows. */
const SPELLING =
  /^(?:(?:(?<version>v[12])-)?(?:fsverity-)?(?<algorithm>sha256|sha512)(?<bits>-12)?:)?(?<hex>[0-9a-f]+)$/;

/** Lower-case hexadecimal, with or without what says of which algorithm it is. Throws `fsverity/bad-digest`. */
export function parseVerityDigest(text: string): SpelledDigest {
  const groups = SPELLING.exec(text)?.groups;
  const hex = groups?.['hex'] ?? '';
  const algorithm = hex.length === 64 ? 'sha256' : hex.length === 128 ? 'sha512' : undefined;
  const version = groups?.['version'] as 'v1' | 'v2' | undefined;
  const named = groups?.['algorithm'];
  const named12 = groups?.['bits'] !== undefined;
  if (
    algorithm === undefined ||
    (named !== undefined && named !== algorithm) ||
    (version !== undefined && !named12)
  ) {
    throw new BootsealError('fsverity/bad-digest', `not an fs-verity digest: ${text.slice(0, 160)}`, {
      hint: '64 or 128 lower-case hexadecimal digits, as in sha256:… or v1-sha512-12:…',
    });
  }
  return { algorithm, digest: decodeHex(hex), ...(version && { version }) };
}

/** `fsverity-sha512-12`. Throws `fsverity/bad-algorithm`. */
export function parseVerityAlgorithm(text: string): VerityAlgorithm {
  const algorithm = /^fsverity-(sha256|sha512)-12$/.exec(text)?.[1];
  if (algorithm !== undefined) return algorithm as VerityAlgorithm;
  throw new BootsealError('fsverity/bad-algorithm', `not an fs-verity algorithm: ${text.slice(0, 80)}`, {
    hint: `known: ${Object.keys(VERITY_DIGEST_SIZE)
      .map((name) => `fsverity-${name}-12`)
      .join(', ')}`,
  });
}
