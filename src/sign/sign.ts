/** Signs an image where it lies: the signature joins those that are there, under the name that verifiers will ask for. */
import { BootsealError, isBootsealError } from '../errors.ts';
import { attachmentTag } from '../formats/cosign/attachment.ts';
import type { SigstorePrivateKey } from '../formats/cosign/private-key.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { parseManifest } from '../formats/oci/manifest.ts';
import { formatPlatform } from '../formats/oci/platform.ts';
import {
  formatReference,
  repositoryName,
  type DockerReference,
} from '../formats/reference/docker-reference.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { RegistriesConfig } from '../formats/registries-d/config.ts';
import { useSigstoreAttachments } from '../formats/registries-d/lookup.ts';
import { mayBeBundle } from '../formats/sigstore-bundle/artifact.ts';
import type { ImageDestination, ImageSource, ManifestBlob } from '../stores/image.ts';
import { openDestination, openSource, type TransportOptions } from '../stores/open.ts';
import type { Step } from '../steps.ts';
import { portableKeyStep } from './portable-key.ts';
import { acceptances, acceptanceSteps, type Acceptance, type SignatureForm } from './acceptance.ts';
import { cannotStore, signAs, type SignedForm, type SignPlace, type SimpleSigner } from './sign-forms.ts';
import type { SignOptions } from './sign-manifest.ts';

export { generateSigstoreKey } from './generate-sigstore-key.ts';
export { loadPrivateKey } from './private-key-file.ts';
export { parseSignIdentity } from './sign-manifest.ts';
export type { Acceptance, SignatureForm } from './acceptance.ts';
export type { SignedForm, SimpleSigner } from './sign-forms.ts';

export interface SignRequest {
  readonly image: ImageName;
  /** The name to sign; default: the image's own. */
  readonly identity?: DockerReference;
  /** Of an index: every instance too. */
  readonly all?: boolean;
  /** Default: `attachment`. All that are named are made in one call; `simple` needs the port of that name. */
  readonly forms?: readonly SignatureForm[];
  readonly options?: SignOptions;
  /** Say what would be signed, and write nothing. */
  readonly dryRun?: boolean;
}

export interface SignPorts {
  /** For attachments and bundles. */
  readonly key?: SigstorePrivateKey;
  /** For simple signatures. */
  readonly simple?: SimpleSigner;
  readonly source?: ImageSource;
  readonly destination?: ImageDestination;
  readonly transport?: TransportOptions;
  /** What readers on this machine would find; only warned about. */
  readonly registries?: RegistriesConfig;
  readonly signal?: AbortSignal;
}

export interface SignedManifest {
  readonly role: 'image' | 'index' | 'instance';
  readonly digest: Digest;
  readonly platform?: Platform;
  /** Of all its forms: `already-signed` when there was nothing to do. */
  readonly state: SignedForm['state'];
  /** Tag in the repository that holds attachments. */
  readonly attachmentTag: string;
  readonly forms: readonly SignedForm[];
}

export interface SignResult {
  readonly identity: string;
  /** Of the sigstore key, or of the OpenPGP key where only that signed. */
  readonly keyFingerprint: string;
  readonly acceptedBy: readonly Acceptance[];
  readonly pinnedDigest: Digest;
  readonly manifests: readonly SignedManifest[];
  readonly steps: readonly Step[];
}

/** Throws `sign/cannot-store`, `sign/bare-identity`, `sign/conflict` and what the stores throw. Idempotent. */
export async function signImage(request: SignRequest, ports: SignPorts): Promise<SignResult> {
  const { image } = request;
  if (image.transport !== 'docker') throw cannotStore(image);
  const identity = request.identity ?? image.reference;
  const source = ports.source ?? (await openSource(image, ports.transport));
  try {
    const destination = ports.destination ?? (await openDestination(image, ports.transport));
    try {
      return await signAt(request, ports, { source, destination, identity, repository: image.reference });
    } finally {
      if (ports.destination === undefined) await destination.abort();
    }
  } finally {
    if (ports.source === undefined) await source.close();
  }
}

async function signAt(request: SignRequest, ports: SignPorts, place: SignPlace): Promise<SignResult> {
  const forms = request.forms ?? ['attachment'];
  checkSigners(forms, ports);
  // 1. What the name means now: signed is this digest, whatever the tag says later.
  const top = await place.source.topManifest();
  const manifest = parseManifest(top.bytes, top.mediaType);
  const targets: {
    readonly blob: ManifestBlob;
    readonly role: SignedManifest['role'];
    readonly platform?: Platform;
  }[] = [];
  if (manifest.kind === 'index' && request.all === true) {
    for (const { digest, platform } of manifest.manifests) {
      // Fetched, so that nothing is signed that is not there or not what its digest says.
      const blob = await place.source.manifest(digest);
      targets.push({ role: 'instance', blob, ...(platform && { platform }) });
    }
  }
  // Last: whoever sees the index signed finds its instances signed too.
  targets.push({ role: manifest.kind, blob: top });

  const manifests: SignedManifest[] = [];
  const done = new Set<Digest>();
  for (const { blob, ...target } of targets) {
    const { digest } = blob;
    if (done.has(digest)) continue;
    done.add(digest);
    const signed: SignedForm[] = [];
    for (const form of forms) {
      ports.signal?.throwIfAborted();
      signed.push(await signAs(form, blob, place, { ...request, ...ports }));
    }
    const state = signed.find((each) => each.state !== 'already-signed')?.state ?? 'already-signed';
    manifests.push({ ...target, digest, state, attachmentTag: attachmentTag(digest), forms: signed });
  }
  const acceptedBy = acceptances({
    forms,
    kind: manifest.kind,
    all: request.all === true,
    hasBundles: forms.includes('bundle') || (await hasBundles(place.source, top.digest)),
  });
  return {
    identity: formatReference(place.identity),
    keyFingerprint: ports.key?.publicKey.fingerprint ?? ports.simple?.fingerprint ?? '',
    acceptedBy,
    pinnedDigest: top.digest,
    manifests,
    steps: [
      ...manifests.map(stepOf),
      ...acceptanceSteps(acceptedBy),
      ...warnings(request, ports, place, manifest.kind, forms),
    ],
  };
}

/** Throws `sign/no-key`. */
function checkSigners(forms: readonly SignatureForm[], { key, simple }: SignPorts): void {
  const missing = forms.find((form) => (form === 'simple' ? simple : key) === undefined);
  if (missing === undefined && forms.length > 0) return;
  throw new BootsealError(
    'sign/no-key',
    missing === undefined ? 'nothing to sign with' : `no key for the form ${missing}`,
    {
      exit: 2,
      hint:
        missing === 'simple'
          ? 'name an OpenPGP key: --sign-by FINGERPRINT'
          : 'name a key: --sign-by-sigstore-private-key FILE',
    },
  );
}

/** Only for a warning: a registry that cannot say has none. */
async function hasBundles(source: ImageSource, digest: Digest): Promise<boolean> {
  try {
    return ((await source.referrers?.(digest)) ?? []).some(mayBeBundle);
  } catch (error) {
    if (isBootsealError(error)) return false;
    throw error;
  }
}

function stepOf({ role, digest, platform, state, forms }: SignedManifest): Step {
  const words = {
    signed: 'signed',
    'already-signed': 'already signed by this key',
    'would-sign': 'would be signed',
  };
  return {
    id: 'sign',
    title: role,
    state: state === 'would-sign' ? 'skipped' : 'passed',
    summary: `${words[state]}  ${digest}${platform === undefined ? '' : `  ${formatPlatform(platform)}`}`,
    details: forms.map((each) => ({
      label: each.form,
      value: each.state === state ? each.place : `${each.place}  ${words[each.state]}`,
    })),
  };
}

function warnings(
  request: SignRequest,
  ports: SignPorts,
  place: SignPlace,
  kind: 'image' | 'index',
  forms: readonly SignatureForm[],
): Step[] {
  const steps: Step[] = [];
  if (ports.key !== undefined) steps.push(...portableKeyStep(ports.key.publicKey));
  if (kind === 'index' && request.all !== true) {
    steps.push({
      id: 'instances',
      title: 'instances',
      state: 'warning',
      summary:
        'only the index is signed: podman and skopeo check the instance that they pull, and will refuse it',
      code: 'sign/instances-not-signed',
      hint: `sign them too: bootseal sign --all … ${formatImageName(request.image)}`,
    });
  }
  if (!forms.includes('attachment')) return steps;
  if (ports.registries !== undefined && !useSigstoreAttachments(ports.registries, place.repository).value) {
    steps.push({
      id: 'registries.d',
      title: 'registries.d',
      state: 'warning',
      summary: 'readers with the registries.d of this machine would not look for the signature',
      code: 'sign/attachments-off',
      hint: `they need use-sigstore-attachments: true for ${repositoryName(place.repository)}: bootseal trust init writes it`,
    });
  }
  return steps;
}
