/** Signatures on their way with an image: whether the destination can hold them, and putting them there. */
import { BootsealError } from '../errors.ts';
import {
  encodeStoredSignature,
  type RawSignature,
  type SigstoreSignature,
} from '../formats/cosign/signature.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { ImageDestination } from '../stores/image.ts';
import { appendAttachment } from './append-attachment.ts';

/** What one manifest has: signatures that came with it, then those made now. */
export interface SignaturesOf {
  readonly digest: Digest;
  readonly signatures: readonly RawSignature[];
}

/**
 * Before any blob is written: what cannot be kept is refused, in skopeo's words. Throws `copy/loses-signatures`,
 * a usage error.
 */
export function demandRoom(destination: ImageName, wanted: readonly SignaturesOf[]): void {
  const all = wanted.flatMap(({ signatures }) => signatures);
  if (all.length === 0) return;
  switch (destination.transport) {
    case 'dir':
      return;
    case 'docker':
      if (all.every(({ kind }) => kind === 'sigstore')) return;
      throw losing(destination, 'simple signing signatures need a look-aside store');
    case 'docker-archive':
      throw losing(destination, 'Storing signatures for docker tar files is not supported');
    case 'oci':
    case 'oci-archive':
    case 'containers-storage':
    default:
      throw losing(destination, 'Pushing signatures for OCI images is not supported');
  }
}

/** Adds the signatures to those the destination has. Visible at once in a registry: call it before the tag moves. */
export async function putSignatures(
  destination: ImageDestination,
  { digest, signatures }: SignaturesOf,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signatures.length === 0) return;
  if (destination.putSignatures !== undefined) {
    await destination.putSignatures(digest, signatures.map(encodeStoredSignature));
    return;
  }
  const sigstore = signatures.filter(
    (signature): signature is SigstoreSignature => signature.kind === 'sigstore',
  );
  await appendAttachment(destination, destination, digest, sigstore, { ...(signal && { signal }) });
}

function losing(destination: ImageName, why: string): BootsealError {
  return new BootsealError(
    'copy/loses-signatures',
    `Can not copy signatures to ${formatImageName(destination)}: ${why}`,
    {
      hint: 'copy to a registry or to dir:, or drop them with --remove-signatures',
      exit: 2,
    },
  );
}
