/** One manifest signed in one form, unless this key has done so already; each form beside what is there. */
import { BootsealError } from '../errors.ts';
import { attachmentTag } from '../formats/cosign/attachment.ts';
import type { SigstorePrivateKey } from '../formats/cosign/private-key.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { repositoryName, type DockerReference } from '../formats/reference/docker-reference.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { ImageDestination, ImageSource, ManifestBlob } from '../stores/image.ts';
import { readAttachment } from '../verify/signatures-of.ts';
import type { SignatureForm } from './acceptance.ts';
import { appendAttachment } from './append-attachment.ts';
import { isSignatureOf } from './own-signature.ts';
import { appendBundle, bundlesBy, makeBundle } from './sign-bundle.ts';
import { signManifest, type SignOptions } from './sign-manifest.ts';

export interface SignedForm {
  readonly form: SignatureForm;
  readonly state: 'signed' | 'already-signed' | 'would-sign';
  /** Where it lies: a tag, a digest, a URL. */
  readonly place: string;
}

export interface SignPlace {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  /** What is signed as the name of the image. */
  readonly identity: DockerReference;
  readonly repository: DockerReference;
}

/** Simple signing: makes and stores an OpenPGP signature, in the lookaside store that registries.d names. */
export interface SimpleSigner {
  readonly fingerprint: string;
  sign(
    image: ManifestBlob,
    identity: DockerReference,
    dryRun: boolean,
    destination: ImageDestination,
  ): Promise<Omit<SignedForm, 'form'>>;
}

export interface FormOptions {
  readonly key?: SigstorePrivateKey;
  readonly simple?: SimpleSigner;
  readonly options?: SignOptions;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

/** Throws `sign/cannot-store`, `sign/bare-identity`, `sign/conflict` and what the stores throw. */
export async function signAs(
  form: SignatureForm,
  image: ManifestBlob,
  place: SignPlace,
  options: FormOptions,
): Promise<SignedForm> {
  if (form === 'simple') {
    const { identity, destination } = place;
    const signed = await options.simple!.sign(image, identity, options.dryRun === true, destination);
    return { form, ...signed };
  }
  const key = options.key!;
  return form === 'bundle'
    ? signBundle(image, place, key, options)
    : signAttachment(image.digest, place, key, options);
}

async function signAttachment(
  digest: Digest,
  { source, destination, identity, repository }: SignPlace,
  key: SigstorePrivateKey,
  { options, dryRun, signal }: FormOptions,
): Promise<SignedForm> {
  const form = 'attachment';
  const place = attachmentTag(digest);
  // 1. A signature by this key that says the same is not repeated: ECDSA would make new bytes each time.
  const present = (await readAttachment(source, digest, `${repositoryName(repository)}:${place}`)) ?? [];
  if (present.some((signature) => isSignatureOf(signature, key, digest, identity))) {
    return { form, state: 'already-signed', place };
  }
  const signature = signManifest(digest, identity, key, options);
  if (dryRun === true) return { form, state: 'would-sign', place };
  // 2. Beside those that are there.
  if (source.attachment === undefined) throw cannotStore(source.name);
  await appendAttachment(source, destination, digest, [signature], { ...(signal && { signal }) });
  return { form, state: 'signed', place };
}

async function signBundle(
  image: ManifestBlob,
  { source, destination }: SignPlace,
  key: SigstorePrivateKey,
  { options, dryRun }: FormOptions,
): Promise<SignedForm> {
  const form = 'bundle';
  const [present] = await bundlesBy(source, image.digest, key.publicKey);
  if (present !== undefined) return { form, state: 'already-signed', place: present };
  if (dryRun === true) return { form, state: 'would-sign', place: `referrer of ${image.digest}` };
  const created = options?.timestamp ?? Math.floor(Date.now() / 1000);
  const artifact = await appendBundle(destination, image, makeBundle(image.digest, key), created);
  return { form, state: 'signed', place: artifact };
}

export function cannotStore(image: ImageName): BootsealError {
  const name = formatImageName(image);
  return new BootsealError(
    'sign/cannot-store',
    image.transport === 'oci' || image.transport === 'oci-archive'
      ? `Can not copy signatures to ${name}: Pushing signatures for OCI images is not supported`
      : `${image.transport}: images cannot be signed in place`,
    {
      exit: 2,
      hint: 'sign the image in its registry: bootseal sign docker://…, or copy it there while signing',
    },
  );
}
