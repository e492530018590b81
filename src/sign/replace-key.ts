/**
 * Key rotation: every signature that the old key made on an image is made again with the new one, found again in the
 * registry and verified, and only then the old ones are taken away. Wherever it is cut off, every image has a valid
 * signature by one of the two keys, and running it again finishes the work.
 */
import { BootsealError, isBootsealError } from '../errors.ts';
import { attachmentTag, signatureFromLayer } from '../formats/cosign/attachment.ts';
import { parsePayload } from '../formats/cosign/payload.ts';
import type { SigstorePrivateKey } from '../formats/cosign/private-key.ts';
import type { SigstorePublicKey } from '../formats/cosign/public-key.ts';
import { SIGNATURE_ANNOTATION, type RawSignature } from '../formats/cosign/signature.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { parseManifest } from '../formats/oci/manifest.ts';
import {
  formatReference,
  parseDockerReference,
  repositoryName,
  type DockerReference,
} from '../formats/reference/docker-reference.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import { decodeGoBase64 } from '../formats/strict-json/go-base64.ts';
import type { ImageDestination, ImageSource, ManifestBlob } from '../stores/image.ts';
import { openDestination, openSource, type TransportOptions } from '../stores/open.ts';
import type { Step } from '../steps.ts';
import { checkSignature } from '../trust/signatures/verify-bytes.ts';
import { readAttachment } from '../verify/signatures-of.ts';
import { removeFromAttachment } from './append-attachment.ts';
import { isSignatureOf } from './own-signature.ts';
import { bundlesBy } from './sign-bundle.ts';
import { cannotStore, signAs } from './sign-forms.ts';
import type { SignOptions } from './sign-manifest.ts';

export interface ReplaceKeyRequest {
  readonly images: readonly ImageName[];
  readonly oldKey: SigstorePublicKey;
  /** Leave the old signatures: for the time in which machines know the old key only. */
  readonly keepOld?: boolean;
  readonly options?: SignOptions;
}

export interface ReplaceKeyPorts {
  readonly newKey: SigstorePrivateKey;
  readonly transport?: TransportOptions;
  readonly signal?: AbortSignal;
  /** Called when an image is done, for people who wait. */
  readonly onImage?: (result: ReplacedImage) => void;
}

export interface ReplacedImage {
  readonly image: string;
  /** `unchanged`: the new key had signed it and the old one had not. */
  readonly state: 'replaced' | 'unchanged' | 'failed';
  readonly pinnedDigest?: Digest;
  /** Signatures by the new key that were made, and by the old key that were taken away. */
  readonly added: number;
  readonly removed: number;
  readonly error?: BootsealError;
}

export interface ReplaceKeyResult {
  /** No image failed. */
  readonly ok: boolean;
  readonly images: readonly ReplacedImage[];
  readonly steps: readonly Step[];
}

/** An image that fails is told and left with its old signatures; the others go on. Throws only when aborted. */
export async function replaceKey(
  request: ReplaceKeyRequest,
  ports: ReplaceKeyPorts,
): Promise<ReplaceKeyResult> {
  if (request.oldKey.fingerprint === ports.newKey.publicKey.fingerprint) {
    throw new BootsealError('sign/same-key', 'the old and the new key are the same', { exit: 2 });
  }
  const images: ReplacedImage[] = [];
  for (const image of request.images) {
    ports.signal?.throwIfAborted();
    const result = await replaceOn(image, request, ports);
    ports.onImage?.(result);
    images.push(result);
  }
  return { ok: images.every(({ state }) => state !== 'failed'), images, steps: images.map(stepOf) };
}

async function replaceOn(
  image: ImageName,
  request: ReplaceKeyRequest,
  ports: ReplaceKeyPorts,
): Promise<ReplacedImage> {
  const counts = { added: 0, removed: 0 };
  const name = formatImageName(image);
  try {
    if (image.transport !== 'docker') throw cannotStore(image);
    const source = await openSource(image, ports.transport);
    try {
      const destination = await openDestination(image, ports.transport);
      try {
        const place = { source, destination, reference: image.reference };
        const pinnedDigest = await replaceManifests(place, request, ports, counts);
        const state = counts.added + counts.removed > 0 ? 'replaced' : 'unchanged';
        return { image: name, state, pinnedDigest, ...counts };
      } finally {
        await destination.abort();
      }
    } finally {
      await source.close();
    }
  } catch (error) {
    ports.signal?.throwIfAborted();
    if (!isBootsealError(error)) throw error;
    return { image: name, state: 'failed', ...counts, error };
  }
}

interface Place {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly reference: DockerReference;
}

interface Counts {
  added: number;
  removed: number;
}

async function replaceManifests(
  place: Place,
  request: ReplaceKeyRequest,
  ports: ReplaceKeyPorts,
  counts: Counts,
): Promise<Digest> {
  const { source } = place;
  const top = await source.topManifest();
  const manifest = parseManifest(top.bytes, top.mediaType);
  const blobs: ManifestBlob[] = [];
  if (manifest.kind === 'index') {
    for (const { digest } of manifest.manifests) blobs.push(await source.manifest(digest));
  }
  blobs.push(top);
  // 1. Everything that the old key signed, signed by the new one. No old signature goes before all this is done.
  const old: { readonly blob: ManifestBlob; readonly signatures: OldSignatures }[] = [];
  let known = false;
  for (const blob of new Map(blobs.map((each) => [each.digest, each])).values()) {
    const signatures = await oldSignatures(place, blob.digest, request.oldKey);
    old.push({ blob, signatures });
    known ||= signatures.identities.length > 0 || signatures.bundles.length > 0;
    await signAgain(place, blob, signatures, request, ports, counts);
  }
  if (!known && !(await signedByNew(place, top.digest, ports.newKey))) {
    throw new BootsealError('sign/not-signed', 'neither the old nor the new key has signed this image', {
      exit: 1,
      hint: 'nothing was changed; to sign it: bootseal sign --sign-by-sigstore-private-key KEY IMAGE',
    });
  }
  if (request.keepOld === true) return top.digest;
  // 2. The old ones away.
  for (const { blob, signatures } of old) {
    ports.signal?.throwIfAborted();
    await dropOld(place, blob.digest, signatures, request.oldKey, ports.signal);
    counts.removed += signatures.attachments + signatures.bundles.length;
  }
  return top.digest;
}

interface OldSignatures {
  readonly attachments: number;
  /** Names that the old key has signed for this digest, each once. */
  readonly identities: readonly DockerReference[];
  readonly bundles: readonly Digest[];
}

async function oldSignatures(place: Place, digest: Digest, key: SigstorePublicKey): Promise<OldSignatures> {
  const attached = await attachmentsOf(place, digest);
  const byOld = attached.filter((signature) => isBy(signature, key));
  const identities = new Map<string, DockerReference>();
  for (const signature of byOld) {
    const payload = parsePayload(signature.payload);
    // Of another image: it accepts nothing here, so nothing is made anew for it. It goes with the others.
    if (payload.manifestDigest !== digest) continue;
    const identity = identityOf(payload.dockerReference, place.reference);
    identities.set(formatReference(identity), identity);
  }
  return {
    attachments: byOld.length,
    identities: [...identities.values()],
    bundles: await bundlesBy(place.source, digest, key),
  };
}

/**
 * The name to sign again. cosign signs the repository alone; with the tag or digest that was asked for, the new
 * signature passes wherever the old one did.
 */
function identityOf(signed: string, own: DockerReference): DockerReference {
  const reference = parseDockerReference(signed);
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  if (repositoryName(reference) === repositoryName(own)) return own;
  throw new BootsealError('sign/bare-identity', `the old signature names ${signed}, without tag or digest`, {
    hint: 'sign that image under the name that its policy asks for: --sign-identity REPOSITORY:TAG',
  });
}

async function signAgain(
  place: Place,
  blob: ManifestBlob,
  { identities, bundles }: OldSignatures,
  { options }: ReplaceKeyRequest,
  { newKey, signal }: ReplaceKeyPorts,
  counts: Counts,
): Promise<void> {
  const { source, destination, reference: repository } = place;
  const settings = { key: newKey, ...(options && { options }), ...(signal && { signal }) };
  for (const identity of identities) {
    const signed = await signAs('attachment', blob, { source, destination, identity, repository }, settings);
    if (signed.state === 'signed') counts.added += 1;
  }
  if (bundles.length > 0) {
    const where = { source, destination, identity: repository, repository };
    const signed = await signAs('bundle', blob, where, settings);
    if (signed.state === 'signed') counts.added += 1;
  }
  // What counts is what the registry gives back now.
  const attached = identities.length > 0 ? await attachmentsOf(place, blob.digest) : [];
  const lost = identities.find(
    (identity) => !attached.some((signature) => isSignatureOf(signature, newKey, blob.digest, identity)),
  );
  const lostBundle =
    bundles.length > 0 && (await bundlesBy(source, blob.digest, newKey.publicKey)).length === 0;
  if (lost !== undefined || lostBundle) {
    throw new BootsealError(
      'sign/conflict',
      `the new signature of ${blob.digest} is not there after signing`,
      {
        hint: 'the old signatures are left in place; try again',
      },
    );
  }
}

async function signedByNew(place: Place, digest: Digest, key: SigstorePrivateKey): Promise<boolean> {
  const attached = await attachmentsOf(place, digest);
  if (attached.some((signature) => isBy(signature, key.publicKey))) return true;
  return (await bundlesBy(place.source, digest, key.publicKey)).length > 0;
}

async function dropOld(
  { source, destination }: Place,
  digest: Digest,
  { attachments, bundles }: OldSignatures,
  key: SigstorePublicKey,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (attachments > 0) {
    // The payload of a layer is addressed by its digest: what was by the old key a moment ago still is.
    const where = attachmentTag(digest);
    const byOld = new Set<string>();
    for (const signature of (await readAttachment(source, digest, where)) ?? []) {
      if (signature.kind === 'sigstore' && isBy(signature, key)) byOld.add(signatureText(signature) ?? '');
    }
    const isOld = (layer: Descriptor): boolean =>
      byOld.has(signatureText(signatureFromLayer(layer, new Uint8Array())) ?? '-');
    await removeFromAttachment(source, destination, digest, isOld, { ...(signal && { signal }) });
  }
  if (bundles.length > 0) await destination.removeReferrers?.(digest, bundles);
}

type Attached = Extract<RawSignature, { readonly kind: 'sigstore' }>;

async function attachmentsOf({ source, reference }: Place, digest: Digest): Promise<readonly Attached[]> {
  const where = `${repositoryName(reference)}:${attachmentTag(digest)}`;
  return ((await readAttachment(source, digest, where)) ?? []).filter((each) => each.kind === 'sigstore');
}

function isBy(signature: Attached, key: SigstorePublicKey): boolean {
  const decoded = decodeGoBase64(signatureText(signature) ?? '');
  return typeof decoded !== 'number' && checkSignature(key, signature.payload, decoded) === undefined;
}

function signatureText({ annotations }: Attached): string | undefined {
  return annotations.get(SIGNATURE_ANNOTATION);
}

function stepOf({ image, state, added, removed, pinnedDigest, error }: ReplacedImage): Step {
  const work = `${added} added, ${removed} taken away`;
  return {
    id: 'replace-key',
    title: state,
    state: state === 'failed' ? 'failed' : 'passed',
    summary: error === undefined ? `${image}  ${work}` : `${image}  ${error.message}`,
    ...(pinnedDigest !== undefined && { details: [{ label: 'digest', value: pinnedDigest }] }),
    ...(error !== undefined && { code: error.code, ...(error.hint !== undefined && { hint: error.hint }) }),
  };
}
