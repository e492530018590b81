/** Content digests, OCI image-spec descriptor.md "Digests". */
import { createHash } from 'node:crypto';
import { BootsealError } from '../../errors.ts';

export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** `algorithm:hex`, lower case, grammar checked: safe to build a path or a URL from. */
export type Digest = `${DigestAlgorithm}:${string}`;

const HEX_DIGITS: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 };

export function isDigest(text: unknown): text is Digest {
  if (typeof text !== 'string') return false;
  const match = /^(sha256|sha384|sha512):([0-9a-f]+)$/.exec(text);
  return match !== null && match[2].length === HEX_DIGITS[match[1] as DigestAlgorithm];
}

/** Throws `oci/bad-digest`: other algorithms (md5, sha1) and upper-case digits are refused as Go's digest package does. */
export function parseDigest(text: unknown, what = 'digest'): Digest {
  if (isDigest(text)) return text;
  throw new BootsealError('oci/bad-digest', `invalid ${what} ${JSON.stringify(String(text)).slice(0, 120)}`, {
    hint: 'a digest is sha256:, sha384: or sha512: and its lower-case hexadecimal digits',
  });
}

export function digestParts(digest: Digest): { readonly algorithm: DigestAlgorithm; readonly hex: string } {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon) as DigestAlgorithm, hex: digest.slice(colon + 1) };
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
