/** Signs an image where it lies: the signature joins those that are there, under the name that verifiers will ask for. */
import { BootsealError } from '../errors.ts';
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
import type { ImageDestination, ImageSource } from '../stores/image.ts';
import { openDestination, openSource, type TransportOptions } from '../stores/open.ts';
import type { Step } from '../steps.ts';
import { readAttachment } from '../verify/signatures-of.ts';
import { appendAttachment } from './append-attachment.ts';
import { isSignatureOf } from './own-signature.ts';
import { signManifest, type SignOptions } from './sign-manifest.ts';

export { generateSigstoreKey } from './generate-sigstore-key.ts';
export { loadPrivateKey } from './private-key-file.ts';
export { parseSignIdentity } from './sign-manifest.ts';

export interface SignRequest {
  readonly image: ImageName;
  /** The name to sign; default: the image's own. */
  readonly identity?: DockerReference;
  /** Of an index: every instance too. */
  readonly all?: boolean;
  readonly options?: SignOptions;
  /** Say what would be signed, and write nothing. */
  readonly dryRun?: boolean;
}

export interface SignPorts {
  readonly key: SigstorePrivateKey;
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
  readonly state: 'signed' | 'already-signed' | 'would-sign';
  /** Tag in the repository that holds the signature. */
  readonly attachmentTag: string;
}

export interface SignResult {
  readonly identity: string;
  readonly keyFingerprint: string;
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

interface Place {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly identity: DockerReference;
  readonly repository: DockerReference;
}

async function signAt(request: SignRequest, ports: SignPorts, place: Place): Promise<SignResult> {
  // 1. What the name means now: signed is this digest, whatever the tag says later.
  const top = await place.source.topManifest();
  const manifest = parseManifest(top.bytes, top.mediaType);
  const targets: Omit<SignedManifest, 'state' | 'attachmentTag'>[] = [];
  if (manifest.kind === 'index' && request.all === true) {
    for (const { digest, platform } of manifest.manifests) {
      // Fetched, so that nothing is signed that is not there or not what its digest says.
      await place.source.manifest(digest);
      targets.push({ role: 'instance', digest, ...(platform && { platform }) });
    }
  }
  // Last: whoever sees the index signed finds its instances signed too.
  targets.push({ role: manifest.kind, digest: top.digest });

  const manifests: SignedManifest[] = [];
  const done = new Set<Digest>();
  for (const target of targets) {
    if (done.has(target.digest)) continue;
    done.add(target.digest);
    ports.signal?.throwIfAborted();
    const state = await signOne(request, ports, place, target.digest);
    manifests.push({ ...target, state, attachmentTag: attachmentTag(target.digest) });
  }
  return {
    identity: formatReference(place.identity),
    keyFingerprint: ports.key.publicKey.fingerprint,
    pinnedDigest: top.digest,
    manifests,
    steps: [...manifests.map(stepOf), ...warnings(request, ports, place, manifest.kind)],
  };
}

async function signOne(
  request: SignRequest,
  ports: SignPorts,
  { source, destination, identity, repository }: Place,
  digest: Digest,
): Promise<SignedManifest['state']> {
  // 2. A signature by this key that says the same is not repeated: ECDSA would make new bytes each time.
  const where = `${repositoryName(repository)}:${attachmentTag(digest)}`;
  const present = (await readAttachment(source, digest, where)) ?? [];
  if (present.some((signature) => isSignatureOf(signature, ports.key, digest, identity)))
    return 'already-signed';
  const signature = signManifest(digest, identity, ports.key, request.options);
  if (request.dryRun === true) return 'would-sign';
  // 3. Beside those that are there.
  if (source.attachment === undefined) throw cannotStore(source.name);
  await appendAttachment(source, destination, digest, [signature], {
    ...(ports.signal && { signal: ports.signal }),
  });
  return 'signed';
}

function stepOf({ role, digest, platform, state, attachmentTag: tag }: SignedManifest): Step {
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
    details: [{ label: 'attachment', value: tag }],
  };
}

function warnings(request: SignRequest, ports: SignPorts, place: Place, kind: 'image' | 'index'): Step[] {
  const steps: Step[] = [];
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

function cannotStore(image: ImageName): BootsealError {
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
