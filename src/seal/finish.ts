/** The end of sealing, whoever signed the UKI: the layer that holds it, and the image written. */
import type { Parts } from '../bytes/rope.ts';
import type { Epoch } from '../composefs/epochs.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { ImageDestination, ImageSource } from '../stores/image.ts';
import type { Step } from '../steps.ts';
import { mebibytes, type SealBase } from './base.ts';
import { bootLayer } from './boot-layer.ts';
import { treeSteps } from './build-uki.ts';
import { dumpOf } from './dump.ts';
import type { FinalTree } from './final-tree.ts';
import { documentsOf, writeImage } from './write-image.ts';

export interface WriteOptions {
  /** Store the dump of the sealed tree in the image, so that a broken seal can be explained path by path. */
  readonly embedDump?: boolean;
  /** Do everything but write. */
  readonly dryRun?: boolean;
}

export interface SealResult {
  readonly composefs: string;
  /** Of the manifest written. */
  readonly digest: Digest;
  readonly base: Digest;
  readonly ukiPath: string;
  readonly addedLayers: number;
  readonly steps: readonly Step[];
}

export interface SignedUki {
  readonly parts: Parts;
  readonly cmdline: string;
  /** Subject of the certificate. */
  readonly signedBy: string;
}

export interface FinishRequest extends WriteOptions {
  readonly source: ImageSource;
  readonly base: SealBase;
  readonly final: FinalTree;
  readonly uki: SignedUki;
  readonly bootloader: Step;
  readonly epoch: Epoch;
  readonly signal?: AbortSignal | undefined;
}

/** `open` is called when all is made: a failure before leaves the destination untouched. */
export async function finishSeal(
  request: FinishRequest,
  open: () => Promise<ImageDestination>,
): Promise<SealResult> {
  const { base, final, uki, embedDump, dryRun, epoch } = request;
  const boot = bootLayer(base, uki.parts, embedDump === true ? dumpOf(final.tree, epoch) : undefined);
  const layers = [final.layer, boot.layer];
  const { digest } =
    dryRun === true
      ? documentsOf(base, layers).manifest
      : await writeImage(request.source, await open(), base, layers, request.signal);
  const summary = `${boot.path}  ${mebibytes(boot.size)}, signed by ${uki.signedBy}`;
  return {
    composefs: final.digest,
    digest,
    base: base.image.instance.digest,
    ukiPath: boot.path,
    addedLayers: layers.length,
    steps: [
      ...base.steps,
      ...treeSteps(final, uki),
      { id: 'uki', title: 'UKI', state: 'passed', summary },
      request.bootloader,
    ],
  };
}
