/** Signatures on their way with an image: whether the destination can hold them, and putting them there. */
import { BootsealError } from '../errors.ts';
import {
  encodeStoredSignature,
  type RawSignature,
  type SigstoreSignature,
} from '../formats/cosign/signature.ts';
import { attachmentTag } from '../formats/cosign/attachment.ts';
import type { CopySigner } from './copy-types.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { ImageDestination } from '../stores/image.ts';
import { readAttachment, type AttachmentStore } from '../verify/signatures-of.ts';
import { appendAttachment } from './append-attachment.ts';

/** What one manifest has. */
export interface SignaturesOf {
  readonly digest: Digest;
  /** Came with it. */
  readonly kept: readonly RawSignature[];
  /** Made here, before anything was written: what cannot be signed is known early. */
  readonly made: readonly { readonly signer: CopySigner; readonly signature: SigstoreSignature }[];
}

export interface SignatureCounts {
  copied: number;
  made: number;
}

/**
 * Before any blob is written: what cannot be kept is refused, in skopeo's words. Throws `copy/loses-signatures`,
 * a usage error.
 */
export function demandRoom(destination: ImageName, wanted: readonly SignaturesOf[]): void {
  const all = wanted.flatMap(({ kept, made }) => [...kept, ...made.map(({ signature }) => signature)]);
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

/**
 * Adds the signatures to those the destination has; what a signer has said there before is not said again. Visible
 * at once in a registry: call it before the tag moves.
 */
export async function putSignatures(
  destination: ImageDestination,
  { digest, kept, made }: SignaturesOf,
  counts: SignatureCounts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const present = [...kept, ...(made.length === 0 ? [] : await readPresent(destination, digest))];
  const fresh = made
    .filter(({ signer }) => !present.some((signature) => signer.isOwn(signature, digest)))
    .map(({ signature }) => signature);
  const added = [...kept, ...fresh];
  counts.copied += kept.length;
  counts.made += fresh.length;
  if (added.length === 0) return;
  if (destination.putSignatures !== undefined) {
    await destination.putSignatures(digest, added.map(encodeStoredSignature));
    return;
  }
  const sigstore = added.filter((signature): signature is SigstoreSignature => signature.kind === 'sigstore');
  await appendAttachment(destination, destination, digest, sigstore, { ...(signal && { signal }) });
}

async function readPresent(destination: ImageDestination, digest: Digest): Promise<readonly RawSignature[]> {
  if (!holdsAttachments(destination)) return [];
  return (await readAttachment(destination, digest, attachmentTag(digest))) ?? [];
}

function holdsAttachments(destination: ImageDestination): destination is ImageDestination & AttachmentStore {
  return destination.attachment !== undefined && destination.blob !== undefined;
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
