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
import { simplePlace, type SimplePlaceRequest } from './simple-place.ts';

/** What one manifest has. */
export interface SignaturesOf {
  readonly digest: Digest;
  /** Came with it. */
  readonly kept: readonly RawSignature[];
  /** Made here, before anything was written: what cannot be signed is known early. */
  readonly made: readonly { readonly signer: CopySigner; readonly signature: RawSignature }[];
}

export interface SignatureCounts {
  copied: number;
  made: number;
}

/**
 * Before anything is asked of the destination: what it cannot keep is refused, in skopeo's words. Throws
 * `copy/loses-signatures`, a usage error.
 */
export function demandRoom(destination: ImageName, wanted: readonly SignaturesOf[]): void {
  if (wanted.every(({ kept, made }) => kept.length + made.length === 0)) return;
  switch (destination.transport) {
    case 'dir':
    case 'docker':
      return;
    case 'docker-archive':
      throw losing(destination, 'Storing signatures for docker tar files is not supported');
    case 'oci':
    case 'oci-archive':
    case 'containers-storage':
    default:
      throw losing(destination, 'Pushing signatures for OCI images is not supported');
  }
}

/** Before any blob is written: a look-aside store that cannot be written. Throws `lookaside/not-writable`, `file/cannot-write`. */
export async function probeRoom(
  destination: ImageDestination,
  wanted: readonly SignaturesOf[],
  places: SimplePlaceRequest,
): Promise<void> {
  const { name } = destination;
  if (name.transport !== 'docker') return;
  for (const { digest, kept, made } of wanted) {
    const all = [...kept, ...made.map(({ signature }) => signature)];
    if (all.some(isSimple)) await simplePlace(name.reference, destination, places).probe(digest);
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
  { signal, ...places }: SimplePlaceRequest & { readonly signal?: AbortSignal },
): Promise<void> {
  const { name } = destination;
  const store = name.transport === 'docker' ? simplePlace(name.reference, destination, places) : undefined;
  const present = [...kept];
  if (made.some(({ signature }) => !isSimple(signature)))
    present.push(...(await readPresent(destination, digest)));
  if (store !== undefined && made.some(({ signature }) => isSimple(signature))) {
    present.push(...(await store.read(digest)).signatures);
  }
  const fresh: RawSignature[] = [];
  for (const { signer, signature } of made) {
    if (!(await someOwn(signer, present, digest))) fresh.push(signature);
  }
  const added = [...kept, ...fresh];
  counts.copied += kept.length;
  counts.made += fresh.length;
  if (added.length === 0) return;
  if (destination.putSignatures !== undefined) {
    await destination.putSignatures(digest, added.map(encodeStoredSignature));
    return;
  }
  const simple = added.filter(isSimple);
  if (simple.length > 0) await store?.append(digest, simple.map(encodeStoredSignature));
  const sigstore = added.filter((signature): signature is SigstoreSignature => signature.kind === 'sigstore');
  if (sigstore.length === 0) return;
  await appendAttachment(destination, destination, digest, sigstore, { ...(signal && { signal }) });
}

async function someOwn(
  signer: CopySigner,
  present: readonly RawSignature[],
  digest: Digest,
): Promise<boolean> {
  for (const signature of present) {
    if (await signer.isOwn(signature, digest)) return true;
  }
  return false;
}

function isSimple({ kind }: RawSignature): boolean {
  return kind === 'simple-signing';
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
