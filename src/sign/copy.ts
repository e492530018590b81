/**
 * Copies an image between stores, byte for byte: no manifest is ever changed, so digests and signatures hold. The
 * source is judged before anything is written, and exactly the judged bytes are copied. The destination's name
 * changes its meaning last: a failure or a kill leaves it as it was.
 */
import { BootsealError, isBootsealError, withDetails } from '../errors.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { parseManifest } from '../formats/oci/manifest.ts';
import { hostPlatform } from '../formats/oci/platform.ts';
import { formatImageName } from '../formats/reference/image-name.ts';
import { NO_REGISTRIES_CONFIG } from '../formats/registries-d/config.ts';
import type { ImageDestination, ImageSource, ManifestBlob } from '../stores/image.ts';
import { openDestination, openSource } from '../stores/open.ts';
import type { PolicyVerdict } from '../trust/verdict.ts';
import { chooseInstances } from '../verify/instances.ts';
import { readSignatures } from '../verify/signatures-of.ts';
import { copyBlobs, countBlobs, type BlobCounts } from './copy-blobs.ts';
import {
  demandRoom,
  probeRoom,
  putSignatures,
  type SignatureCounts,
  type SignaturesOf,
} from './copy-signatures.ts';
import { copySteps } from './copy-steps.ts';
import type { CopyPorts, CopyRequest, CopyResult } from './copy-types.ts';

export type { CopyPorts, CopyRequest, CopyResult, CopySigner } from './copy-types.ts';

const DEFAULT_PARALLEL = 4;

/** Throws `copy/loses-signatures`, `trust/…` (exit 1) for a refused source, and what the stores throw. */
export async function copyImage(request: CopyRequest, ports: CopyPorts = {}): Promise<CopyResult> {
  const source = ports.source ?? (await openSource(request.from, ports.sourceTransport));
  try {
    // 1. What the name means, once.
    const plan = await makePlan(request, source);
    // 2. May it be used? Nothing has been written, not even looked at, on the other side.
    const verdicts = await judge(plan, source, ports);
    // 3. Signatures, and whether they will have a place.
    const wanted = await gatherSignatures(request, plan, source, ports);
    demandRoom(request.to, wanted);
    if (request.dryRun === true) return await rehearse(request, plan, wanted, verdicts, ports);
    const destination = await openDestination(request.to, ports.destinationTransport);
    try {
      await probeRoom(destination, wanted, ports);
      // 4. The copy.
      const signatures: SignatureCounts = { copied: 0, made: 0 };
      const blobs = await write(request, plan, { wanted, counts: signatures }, source, destination, ports);
      const { digest, mediaType } = plan.top;
      const result = { digest, mediaType, images: plan.images.map((image) => image.digest), verdicts, blobs };
      return { ...result, signatures, steps: copySteps(request, { ...result, signatures }) };
    } finally {
      await destination.abort();
    }
  } finally {
    if (ports.source === undefined) await source.close();
  }
}

interface Plan {
  /** What the destination's name will mean. */
  readonly top: ManifestBlob;
  /** Instances of `top` when that is an index. */
  readonly instances: readonly ManifestBlob[];
  /** What the policy judges: the instances, or the top alone. */
  readonly images: readonly ManifestBlob[];
  readonly prefix: (at: number) => string;
}

async function makePlan(request: CopyRequest, source: ImageSource): Promise<Plan> {
  const top = await source.topManifest();
  const manifest = parseManifest(top.bytes, top.mediaType);
  if (manifest.kind === 'image') {
    demandFormat(request, top);
    return { top, instances: [], images: [top], prefix: () => '' };
  }
  if (request.indexOnly === true) {
    demandFormat(request, top);
    return { top, instances: [], images: [top], prefix: () => '' };
  }
  const chosen = chooseInstances(manifest, request.all === true, request.platform ?? hostPlatform());
  const images: ManifestBlob[] = [];
  for (const { digest } of chosen) images.push(await source.manifest(digest));
  for (const image of images) demandFormat(request, image);
  if (request.all === true) {
    const count = images.length;
    return {
      top,
      instances: images,
      images,
      prefix: (at) => `copying image ${at + 1}/${count} from manifest list: `,
    };
  }
  return { top: images[0], instances: [], images, prefix: () => 'copying system image from manifest list: ' };
}

/** Nothing is ever converted: digests and signatures would not hold. Throws `copy/would-convert`, a usage error. */
function demandFormat({ format }: CopyRequest, { mediaType }: ManifestBlob): void {
  const isOci = mediaType.startsWith('application/vnd.oci.');
  if (format === undefined || (format === 'oci') === isOci) return;
  throw new BootsealError(
    'copy/would-convert',
    `Manifest of type ${mediaType} must be converted to ${format}, but we cannot modify it: "Instructed to preserve digests"`,
    { hint: 'leave out --format: the copy has the format of the source', exit: 2 },
  );
}

/** A destination that can be asked without being made. */
const ASKABLE = ['docker', 'oci'];

async function rehearse(
  request: CopyRequest,
  plan: Plan,
  wanted: readonly SignaturesOf[],
  verdicts: readonly PolicyVerdict[],
  ports: CopyPorts,
): Promise<CopyResult> {
  const destination = ASKABLE.includes(request.to.transport)
    ? await openDestination(request.to, ports.destinationTransport)
    : undefined;
  try {
    const blobs = await countBlobs(destination, blobsOf(plan));
    const signatures = {
      copied: wanted.reduce((sum, { kept }) => sum + kept.length, 0),
      made: wanted.reduce((sum, { made }) => sum + made.length, 0),
    };
    const { digest, mediaType } = plan.top;
    const images = plan.images.map((image) => image.digest);
    const result = { digest, mediaType, images, verdicts, blobs, signatures };
    return { ...result, steps: copySteps(request, result) };
  } finally {
    await destination?.abort();
  }
}

async function judge(plan: Plan, source: ImageSource, ports: CopyPorts): Promise<PolicyVerdict[]> {
  const verdicts: PolicyVerdict[] = [];
  if (ports.admit === undefined) return verdicts;
  for (const [at, image] of plan.images.entries())
    verdicts.push(await ports.admit(source, image, plan.prefix(at)));
  return verdicts;
}

/** In the order in which they are written: instances first, so that a signed index has signed instances. */
async function gatherSignatures(
  request: CopyRequest,
  plan: Plan,
  source: ImageSource,
  ports: CopyPorts,
): Promise<SignaturesOf[]> {
  const lists: SignaturesOf[] = [];
  for (const { digest } of [...plan.instances, plan.top]) {
    const kept =
      request.removeSignatures === true
        ? []
        : (await readSignatures(source, digest, ports.registries ?? NO_REGISTRIES_CONFIG)).signatures;
    const made = [];
    for (const signer of ports.signers ?? []) made.push({ signer, signature: await signer.sign(digest) });
    lists.push({ digest, kept, made });
  }
  return lists;
}

interface Signing {
  readonly wanted: readonly SignaturesOf[];
  readonly counts: SignatureCounts;
}

async function write(
  request: CopyRequest,
  plan: Plan,
  signatures: Signing,
  source: ImageSource,
  destination: ImageDestination,
  ports: CopyPorts,
): Promise<BlobCounts> {
  try {
    const blobs = await copyBlobs(source, destination, blobsOf(plan), {
      parallel: request.parallel ?? DEFAULT_PARALLEL,
      ...(ports.signal && { signal: ports.signal }),
      ...(ports.progress && { progress: ports.progress }),
    });
    for (const instance of plan.instances) await destination.putInstance(instance);
    await destination.putTopManifest(plan.top);
    // Before the name changes its meaning: nobody sees the image without its signatures.
    for (const list of signatures.wanted) {
      await putSignatures(destination, list, signatures.counts, ports);
    }
    ports.signal?.throwIfAborted();
    await destination.commit();
    return blobs;
  } catch (error) {
    const where = `${formatImageName(request.from)} to ${formatImageName(request.to)}`;
    throw isBootsealError(error) ? withDetails(error, { where }) : error;
  }
}

/** Configurations and layers of all images. Each manifest is parsed from the bytes that were judged. */
function* blobsOf(plan: Plan): Generator<Descriptor, void, undefined> {
  for (const image of plan.images) {
    const manifest = parseManifest(image.bytes, image.mediaType);
    if (manifest.kind === 'index') {
      if (image === plan.top) continue;
      throw new BootsealError('copy/nested-index', `instance ${image.digest} is itself an index`, {
        hint: 'an index of indexes cannot be copied',
      });
    }
    yield manifest.config;
    yield* manifest.layers;
  }
}
