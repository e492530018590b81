/** A v3 bundle beside an image: made, found again, stored. */
import type { SigstorePrivateKey } from '../formats/cosign/private-key.ts';
import { encodeStatement, STATEMENT_PAYLOAD_TYPE } from '../formats/in-toto/statement.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { MEDIA_TYPES } from '../formats/oci/media-types.ts';
import { buildBundleArtifact, EMPTY_CONFIG } from '../formats/sigstore-bundle/artifact.ts';
import { COSIGN_SIGN_PREDICATE } from '../formats/sigstore-bundle/format.ts';
import { encodeKeyBundle, keyHint } from '../formats/sigstore-bundle/writer.ts';
import type { ImageDestination, ManifestBlob } from '../stores/image.ts';
import { signEnvelope } from '../trust/bundles/dsse-signature.ts';
import { judgeKeyBundle } from '../trust/bundles/key-bundle.ts';
import type { SigstorePublicKey } from '../formats/cosign/public-key.ts';
import type { FoundBundle } from '../trust/bundles/found.ts';
import { readBundles, type BundleStore } from '../verify/bundles-of.ts';
import { putBytes } from './append-attachment.ts';
import { BootsealError } from '../errors.ts';

/** The bundle file itself: a statement about the digest, signed. */
export function makeBundle(image: Digest, key: SigstorePrivateKey): Uint8Array {
  const payload = encodeStatement(image, COSIGN_SIGN_PREDICATE);
  const envelope = signEnvelope(key, STATEMENT_PAYLOAD_TYPE, payload);
  return encodeKeyBundle(envelope, keyHint(key.publicKey.spki));
}

/** Artifacts of the image that this key has signed. */
export async function bundlesBy(
  source: BundleStore,
  image: Digest,
  key: SigstorePublicKey,
): Promise<readonly Digest[]> {
  return signedBy(await readBundles(source, image), image, key);
}

function signedBy(found: readonly FoundBundle[], image: Digest, key: SigstorePublicKey): readonly Digest[] {
  return found.flatMap((each) =>
    'bundle' in each && judgeKeyBundle(each.bundle, { keys: [{ key, source: '' }], image }).accepted
      ? [each.artifact]
      : [],
  );
}

/** Stores a bundle as an artifact that refers to the manifest. `created`: seconds since 1970. */
export async function appendBundle(
  destination: ImageDestination,
  image: ManifestBlob,
  bundle: Uint8Array,
  created: number,
): Promise<Digest> {
  if (destination.putReferrer === undefined) {
    throw new BootsealError('sign/cannot-store', `${destination.name.transport}: images cannot hold bundles`);
  }
  const subject: Descriptor = { mediaType: image.mediaType, size: image.bytes.length, digest: image.digest };
  const built = buildBundleArtifact(bundle, subject, created);
  await putBytes(destination, built.layer, bundle);
  await putBytes(destination, built.config, EMPTY_CONFIG);
  const manifest = { bytes: built.manifest, digest: built.digest, mediaType: MEDIA_TYPES.ociManifest };
  await destination.putReferrer(image.digest, manifest, built.descriptor);
  return built.digest;
}
