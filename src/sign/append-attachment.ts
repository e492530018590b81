/**
 * Adding signatures to the attachment of an image, and taking some away. The registry has no transaction for it: the manifest under
 * `sha256-HEX.sig` is read, extended and written, then read again, and the round is repeated when somebody else wrote
 * in between, so that no signature is lost, theirs or ours.
 */
import { BootsealError, isBootsealError } from '../errors.ts';
import {
  attachmentTag,
  buildAttachment,
  layerOfSignature,
  parseAttachment,
  sameLayer,
  sameManifest,
} from '../formats/cosign/attachment.ts';
import { SIGNATURE_ANNOTATION, type SigstoreSignature } from '../formats/cosign/signature.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { MEDIA_TYPES } from '../formats/oci/media-types.ts';
import { decodeGoBase64 } from '../formats/strict-json/go-base64.ts';
import type { ImageDestination, ImageSource, ManifestBlob } from '../stores/image.ts';
import { checkSignature } from '../trust/signatures/verify-bytes.ts';

/** Reads the attachment afresh at every call. */
export type AttachmentReader = Pick<ImageSource, 'attachment'>;

export interface AppendOptions {
  readonly signal?: AbortSignal;
  /** Rounds in all. */
  readonly attempts?: number;
}

/** Returns the digest of the attachment manifest that holds them all. Throws `sign/conflict` after the last round. */
export async function appendAttachment(
  reader: AttachmentReader,
  destination: ImageDestination,
  image: Digest,
  signatures: readonly SigstoreSignature[],
  options: AppendOptions = {},
): Promise<Digest> {
  if (destination.putAttachment === undefined) {
    throw new BootsealError(
      'sign/cannot-store',
      `${destination.name.transport}: images cannot hold sigstore attachments`,
    );
  }
  return changeAttachment(reader, destination, image, options, {
    plan(present) {
      const fresh = signatures.filter((signature) => !present.some((layer) => says(layer, signature)));
      return { layers: [...present, ...fresh.map(layerOfSignature)], fresh };
    },
    // Others' signatures too: who overwrites them would not know.
    holds: (kept, written) => written.every((layer) => kept.some((other) => sameLayer(layer, other))),
  });
}

/** Takes away the signatures that `isUnwanted` says yes to; the others stay as they are, in their order. */
export async function removeFromAttachment(
  reader: AttachmentReader,
  destination: ImageDestination,
  image: Digest,
  isUnwanted: (layer: Descriptor) => boolean,
  options: AppendOptions = {},
): Promise<Digest> {
  return changeAttachment(reader, destination, image, options, {
    plan: (present) => ({ layers: present.filter((layer) => !isUnwanted(layer)), fresh: [] }),
    holds: (kept) => !kept.some(isUnwanted),
  });
}

interface Change {
  plan(present: readonly Descriptor[]): {
    readonly layers: readonly Descriptor[];
    /** Those among them whose payload may not be in the registry yet. */
    readonly fresh: readonly SigstoreSignature[];
  };
  /** Whether what is there later still has what was written. */
  holds(kept: readonly Descriptor[], written: readonly Descriptor[]): boolean;
}

async function changeAttachment(
  reader: AttachmentReader,
  destination: ImageDestination,
  image: Digest,
  options: AppendOptions,
  change: Change,
): Promise<Digest> {
  const where = attachmentTag(image);
  const attempts = options.attempts ?? 10;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    options.signal?.throwIfAborted();
    // 1. What is there now. One that cannot be read is not overwritten.
    const before = await reader.attachment?.(image);
    const present = before === undefined ? [] : parseAttachment(before.bytes, before.mediaType, where);
    const { layers, fresh } = change.plan(present);
    if (before !== undefined && layers.length === present.length && fresh.length === 0) return before.digest;
    // 2. Each layer once. Blobs first: a manifest never names what is not there.
    const built = buildAttachment(layers);
    for (const signature of fresh)
      await putBytes(destination, layerOfSignature(signature), signature.payload);
    await putBytes(destination, built.configDescriptor, built.config);
    // 3. Unless it changed meanwhile, write.
    const started = performance.now();
    const again = await reader.attachment?.(image);
    if (sameManifest(before?.bytes, again?.bytes)) {
      const manifest: ManifestBlob = {
        bytes: built.manifest,
        digest: built.digest,
        mediaType: MEDIA_TYPES.ociManifest,
      };
      if (await putIfTaken(destination, image, manifest, attempt < attempts)) {
        // 4. Somebody who looked before we wrote may write after us, and undo our change without knowing. That
        // happens within the time of such a round: look again some rounds later.
        await pause(Math.max(MIN_SETTLE, 4 * (performance.now() - started)), options.signal);
        const after = await reader.attachment?.(image);
        const kept = after === undefined ? [] : parseAttachment(after.bytes, after.mediaType, where);
        if (after !== undefined && change.holds(kept, built.layers)) return after.digest;
      }
    }
    // Longer each time, and not the same for two who met.
    await pause(Math.random() * 100 * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS), options.signal);
  }
  throw new BootsealError('sign/conflict', `others keep writing ${where}; the change may be missing`, {
    hint: 'try again: a signature that is already there is not added twice',
  });
}

/** False where the registry refused the manifest, as it does when it has lost a blob that it said it had. */
async function putIfTaken(
  destination: ImageDestination,
  image: Digest,
  manifest: ManifestBlob,
  mayFail: boolean,
): Promise<boolean> {
  try {
    await destination.putAttachment?.(image, manifest);
    return true;
  } catch (error) {
    if (mayFail && isBootsealError(error) && error.code === 'registry/unexpected-status') return false;
    throw error;
  }
}

export async function putBytes(
  destination: ImageDestination,
  descriptor: Descriptor,
  bytes: Uint8Array,
): Promise<void> {
  if (await destination.hasBlob(descriptor)) return;
  await destination.putBlob(descriptor, once(bytes));
}

// A port takes an asynchronous iterable; the bytes are in memory already.
// oxlint-disable-next-line require-await
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/** The same signature; or another one over the same payload by the key that made ours, which adds nothing. */
function says(layer: Descriptor, signature: SigstoreSignature): boolean {
  const ours = layerOfSignature(signature);
  if (sameLayer(layer, ours)) return true;
  if (signature.madeBy === undefined || layer.digest !== ours.digest || layer.mediaType !== ours.mediaType)
    return false;
  const encoded = decodeGoBase64(layer.annotations?.[SIGNATURE_ANNOTATION] ?? '');
  return (
    typeof encoded !== 'number' && checkSignature(signature.madeBy, signature.payload, encoded) === undefined
  );
}

/** Milliseconds. */
const MIN_SETTLE = 100;
/** The longest pause: 3.2 seconds. */
const MAX_DOUBLINGS = 5;

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
