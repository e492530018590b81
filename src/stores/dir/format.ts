/** Names of the files of a `dir:` image, as containers/image's directory transport has them. */
import { digestParts, type Digest } from '../../formats/oci/digest.ts';

export const MANIFEST_NAME = 'manifest.json';
export const VERSION_NAME = 'version';
export const VERSION_PREFIX = 'Directory Transport Version: ';
export const VERSION_TEXT = `${VERSION_PREFIX}1.1\n`;

/** Blobs have no algorithm in their names; a sha256 and a sha512 never collide, their lengths differ. */
export function blobName(digest: Digest): string {
  return digestParts(digest).hex;
}

export function instanceName(digest: Digest): string {
  return `${digestParts(digest).hex}.${MANIFEST_NAME}`;
}

/** `number` counts from 1. Signatures of an instance of an index carry its digest in front. */
export function signatureName(number: number, instance: Digest | undefined): string {
  return instance === undefined ? `signature-${number}` : `${digestParts(instance).hex}.signature-${number}`;
}

/** Whether a name is one that the transport writes: what an old image left and a new one may remove. */
export function isOwnName(name: string): boolean {
  return (
    name === MANIFEST_NAME ||
    name === VERSION_NAME ||
    /^(?:(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})(?:\.manifest\.json|\.signature-[0-9]+)?|signature-[0-9]+)$/.test(
      name,
    )
  );
}
