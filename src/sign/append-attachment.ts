/**
 * Adding signatures to the attachment of an image, and taking some away. The registry has no transaction for it: the manifest under
 * `sha256-HEX.sig` is read, extended and written, then read again, and the round is repeated when somebody else wrote
 * in between, so that no signature is lost, theirs or ours.
 */
import { BootsealError, isBootsealError } from '../errors.ts';
import {
  attachmentTag,
  buildAttachment,
  type BuiltAttachment,
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
import { changeSettled, type SettleOptions } from '../stores/settled-change.ts';
import { checkSignature } from '../trust/signatures/verify-bytes.ts';

/** Reads the attachment afresh at every call. */
export type AttachmentReader = Pick<ImageSource, 'attachment'>;

/** Returns the digest of the attachment manifest that holds them all. Throws `sign/conflict` after the last round. */
export async function appendAttachment(
  reader: AttachmentReader,
  destination: ImageDestination,
  image: Digest,
  signatures: readonly SigstoreSignature[],
  options: SettleOptions = {},
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
  options: SettleOptions = {},
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
  options: SettleOptions,
  change: Change,
): Promise<Digest> {
  const where = attachmentTag(image);
  const layersOf = (manifest: ManifestBlob | undefined): readonly Descriptor[] =>
    manifest === undefined ? [] : parseAttachment(manifest.bytes, manifest.mediaType, where);
  const settled = await changeSettled<ManifestBlob | undefined, BuiltAttachment>(
    {
      read: async () => reader.attachment?.(image),
      same: (before, again) => sameManifest(before?.bytes, again?.bytes),
      async plan(before) {
        // One that cannot be read is not overwritten.
        const present = layersOf(before);
        const { layers, fresh } = change.plan(present);
        if (before !== undefined && layers.length === present.length && fresh.length === 0) return undefined;
        // Blobs first: a manifest never names what is not there.
        const built = buildAttachment(layers);
        for (const signature of fresh)
          await putBytes(destination, layerOfSignature(signature), signature.payload);
        await putBytes(destination, built.configDescriptor, built.config);
        return built;
      },
      write: ({ manifest, digest }, mayFail) =>
        putIfTaken(
          destination,
          image,
          { bytes: manifest, digest, mediaType: MEDIA_TYPES.ociManifest },
          mayFail,
        ),
      holds: (after, { layers }) => after !== undefined && change.holds(layersOf(after), layers),
    },
    options,
  );
  if (settled !== undefined) return settled.digest;
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
