/**
 * Job `verify --sealed`: the whole chain of a sealed image, straight from where it is stored, without unpacking it.
 *
 *   policy → manifest → layers → signature of the UKI → its composefs= against the layers → boot loader
 *
 * Each link is a step. One that fails does not end the job, unless what follows would have to trust it.
 */
import { DEFAULT_EPOCH, type Epoch } from '../composefs/epochs.ts';
import type { Tree } from '../composefs/tree.ts';
import { isBootsealError, type ExitStatus } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import { readTree, type ReadPorts } from '../seal/base.ts';
import type { ImageSource } from '../stores/image.ts';
import { loadImage, type LoadedImage } from '../stores/load-image.ts';
import type { Step } from '../steps.ts';
import { checkBootloader, checkUkis } from './sealed/boot-programs.ts';
import { checkSeal } from './sealed/seal-step.ts';
import { verifyImage, type VerifyPorts, type VerifyRequest } from './verify.ts';

export interface SealedRequest {
  readonly image: ImageName;
  /** Opens the image for reading; the job closes it. */
  readonly open: () => Promise<ImageSource>;
  readonly platform?: Platform;
  /** DER certificates, as the machines' db holds them. */
  readonly certificates: readonly Uint8Array[];
  /** How policy is found; undefined leaves the signature of the image out, and says so. */
  readonly policy?: Omit<VerifyRequest, 'image' | 'platform'>;
  readonly epoch?: Epoch;
}

export interface SealedResult {
  /** No step failed. */
  readonly ok: boolean;
  /** 0, or 1 when the verdict is no, or 3 when a step could not be decided. */
  readonly exit: 0 | ExitStatus;
  readonly image: string;
  /** Of the image manifest that was judged; undefined when not even that could be had. */
  readonly digest?: Digest;
  /** What the layers give. */
  readonly composefs?: string;
  readonly steps: readonly Step[];
}

export interface SealedPorts extends ReadPorts {
  readonly verify?: VerifyPorts;
}

const LINKS = [
  ['signature', 'signature'],
  ['manifest', 'manifest'],
  ['layers', 'layers'],
  ['uki', 'UKI'],
  ['seal', 'seal'],
  ['bootloader', 'bootloader'],
] as const;
type LinkId = (typeof LINKS)[number][0];

export async function verifySealed(request: SealedRequest, ports: SealedPorts): Promise<SealedResult> {
  const chain = new Chain(request.image);
  const source = await chain.attempt('manifest', request.open);
  if (source === undefined) return chain.result();
  try {
    return await verifyOpen(chain, source, request, ports);
  } finally {
    await source.close();
  }
}

async function verifyOpen(
  chain: Chain,
  source: ImageSource,
  request: SealedRequest,
  ports: SealedPorts,
): Promise<SealedResult> {
  const { certificates, epoch = DEFAULT_EPOCH } = request;
  // 1. The image's own documents, resolved once; then the policy, about exactly those bytes.
  const image = await chain.attempt('manifest', () => loadImage(source, request.platform));
  if (image === undefined) return chain.result();
  await signature(chain, source, request, ports);
  chain.add(manifestStep(image));
  // 2. Layers to a tree; blob digests and diffIDs are checked on the way.
  const tree = await chain.attempt('layers', () => readTree(image, [epoch.algorithm], ports));
  if (tree === undefined) return chain.result(image);
  chain.add(layersStep(image));
  // 3. Signatures of what firmware starts, and then what the UKI promises.
  const boot = await chain.attempt('uki', () => Promise.resolve(checkBoot(chain, tree, certificates, epoch)));
  return chain.result(image, boot?.composefs);
}

function checkBoot(
  chain: Chain,
  tree: Tree,
  certificates: readonly Uint8Array[],
  epoch: Epoch,
): Pick<SealedResult, 'composefs'> {
  const { step, trusted } = checkUkis(tree, certificates);
  chain.add(step);
  const seal = trusted.length > 0 ? checkSeal(tree, trusted, epoch) : undefined;
  if (seal !== undefined) chain.add(seal.step);
  chain.add(checkBootloader(tree, certificates));
  return seal?.composefs === undefined ? {} : { composefs: seal.composefs };
}

async function signature(
  chain: Chain,
  source: ImageSource,
  { image, platform, policy }: SealedRequest,
  ports: SealedPorts,
): Promise<void> {
  if (policy === undefined) return chain.leaveOut('signature');
  const request = { ...policy, image, ...(platform && { platform }) };
  const result = await chain.attempt('signature', () => verifyImage(request, { ...ports.verify, source }));
  for (const step of result?.steps ?? []) chain.add(step);
}

function manifestStep({ top, instance, manifest }: LoadedImage): Step {
  const details = [{ label: 'image', value: instance.digest }];
  if (top.digest !== instance.digest) details.unshift({ label: 'index', value: top.digest });
  const summary = `${manifest.layers.length} layers, configuration matches`;
  return { id: 'manifest', title: 'manifest', state: 'passed', summary, details };
}

function layersStep({ layers }: LoadedImage): Step {
  const mebibytes = (layers.reduce((sum, { size }) => sum + size, 0) / 2 ** 20).toFixed(1);
  const summary = `${layers.length} layers, ${mebibytes} MiB: all digests and diffIDs match`;
  const details = layers.map(({ digest }, at) => ({ label: `layer ${at + 1}`, value: digest }));
  return { id: 'layers', title: 'layers', state: 'passed', summary, details };
}

/** Collects the steps; what was not reached is told as not checked. */
class Chain {
  readonly #image: ImageName;
  readonly #steps: Step[] = [];
  readonly #leftOut = new Set<string>();
  #exit: 0 | ExitStatus = 0;

  constructor(image: ImageName) {
    this.#image = image;
  }

  add(step: Step): void {
    this.#steps.push(step);
    if (step.state === 'failed' && this.#exit === 0) this.#exit = 1;
  }

  /** A link that nobody asked for. */
  leaveOut(id: LinkId): void {
    this.#leftOut.add(id);
  }

  /** A BootsealError becomes the failed step `id`; anything else is a fault of ours and goes on up. */
  async attempt<T>(id: LinkId, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!isBootsealError(error)) throw error;
      const { code, message, hint, where, exit } = error;
      const title = LINKS.find(([link]) => link === id)?.[1] ?? id;
      const details = where === undefined ? [] : [{ label: 'where', value: where }];
      this.#steps.push({
        id,
        title,
        state: 'failed',
        summary: message,
        details,
        code,
        ...(hint !== undefined && { hint }),
      });
      if (this.#exit === 0) this.#exit = exit;
      return undefined;
    }
  }

  result(image?: LoadedImage, composefs?: string): SealedResult {
    const missing = LINKS.filter(([id]) => !this.#steps.some((step) => step.id === id));
    const broken = this.#exit !== 0;
    for (const [id, title] of missing) {
      const summary = this.#leftOut.has(id)
        ? 'left out by request'
        : 'not checked: the chain is broken before it';
      this.#steps.push({ id, title, state: 'skipped', summary });
    }
    const order = (step: Step): number =>
      LINKS.findIndex(([id]) => id === (step.id === 'index' ? 'signature' : step.id));
    return {
      ok: !broken,
      exit: this.#exit,
      image: formatImageName(this.#image),
      ...(image && { digest: image.instance.digest }),
      ...(composefs !== undefined && { composefs }),
      steps: this.#steps.toSorted((a, b) => order(a) - order(b)),
    };
  }
}
