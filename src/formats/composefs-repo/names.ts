/** Where things are in a composefs-rs repository. Every name that comes from outside is checked here before it is a path. */
import { BootsealError } from '../../errors.ts';
import { VERITY_DIGEST_SIZE, type VerityAlgorithm } from '../fsverity/format.ts';

/** `objects/xx/rest`. `digest` is lower-case hexadecimal and was checked. */
export function objectFile(digest: string): string {
  return `objects/${digest.slice(0, 2)}/${digest.slice(2)}`;
}

/** True for a digest of the repository's algorithm. */
export function isObjectDigest(text: string, algorithm: VerityAlgorithm): boolean {
  return text.length === 2 * VERITY_DIGEST_SIZE[algorithm] && /^[0-9a-f]+$/.test(text);
}

/** The digest in what a link in `images/` or `streams/` says: `../objects/xx/rest`. Undefined for anything else. */
export function linkedObject(target: string, algorithm: VerityAlgorithm): string | undefined {
  const match = /^\.\.\/objects\/([0-9a-f]{2})\/([0-9a-f]+)$/.exec(target);
  if (match === null) return undefined;
  const digest = match[1] + match[2];
  return isObjectDigest(digest, algorithm) ? digest : undefined;
}

/** Name of the stream that keeps a manifest, a configuration or a layer; the layer's is its diffID. */
export function streamName(kind: 'manifest' | 'config' | 'layer', digest: string): string {
  return `oci-${kind}-${digest}`;
}

/**
 * File name below `streams/refs/oci/` of an image's name: `/` is written `%2F`, as composefs-rs does. Throws
 * `repo/bad-name` for what could not be read back, or would lead elsewhere.
 */
export function encodeTag(name: string): string {
  if (!/^[A-Za-z0-9._:@/+-]{1,200}$/.test(name) || /^\.{1,2}$/.test(name)) {
    throw new BootsealError('repo/bad-name', `${JSON.stringify(name)} cannot be the name of an image`, {
      exit: 2,
      hint: 'letters, digits and . _ : @ / + - only, 200 at most',
    });
  }
  return name.replaceAll('/', '%2F');
}

export function decodeTag(file: string): string {
  return file.replaceAll('%2F', '/').replaceAll('%25', '%');
}

/** Name of the reference from a configuration to its image: one for each version of the format and way of use. */
export function imageRefName(version: 'v1' | 'v2', bootable: boolean): string {
  return `composefs.image${bootable ? '.boot' : ''}${version === 'v1' ? '.v1' : ''}`;
}
