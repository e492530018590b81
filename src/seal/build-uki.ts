/**
 * Job `build-uki`: the unsigned UKI of an image, for a signer elsewhere. `seal-with-uki` takes the signed file back.
 */
import { partsLength, type Parts } from '../bytes/rope.ts';
import { DEFAULT_EPOCH, type Epoch } from '../composefs/epochs.ts';
import { BootsealError } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { Step } from '../steps.ts';
import type { ImageSource } from '../stores/image.ts';
import { mebibytes, readBase, type SealBase, type SealPorts } from './base.ts';
import type { BootFile } from './boot-files.ts';
import { bootloaderStep } from './bootloader.ts';
import { finalTree, type FinalTree } from './final-tree.ts';
import { ukiOf, type NewUki } from './uki.ts';

export interface BuildUkiRequest {
  readonly source: ImageSource;
  /** Of an index; default this machine's. */
  readonly platform?: Platform;
  readonly additionalKargs?: string;
  readonly stub?: Uint8Array;
  /** systemd-boot as it will be in the sealed image, when that is not the image's own. */
  readonly bootloader?: Uint8Array;
  readonly epoch?: Epoch;
}

export interface BuildUkiResult {
  readonly uki: Parts;
  readonly cmdline: string;
  readonly kernelVersion: string;
  readonly composefs: string;
  readonly base: Digest;
  readonly steps: readonly Step[];
}

export async function buildUki(request: BuildUkiRequest, ports: SealPorts): Promise<BuildUkiResult> {
  const epoch = request.epoch ?? DEFAULT_EPOCH;
  const base = await readBase(request.source, request.platform, epoch, ports);
  const final = await finalTree(base, request.bootloader, epoch);
  const uki = ukiOf(base, { ...request, digest: final.digest });
  const bootloader = bootloaderStep(base, request.bootloader);
  return {
    uki: uki.parts,
    cmdline: uki.cmdline,
    kernelVersion: base.files.version,
    composefs: final.digest,
    base: base.image.instance.digest,
    steps: [...base.steps, ...treeSteps(final, uki), ukiStep(base, uki), bootloader],
  };
}

/** The image's systemd-boot, for a signer elsewhere: the first thing to sign. Throws `seal/missing-file`. */
export async function bootloaderOf(
  source: ImageSource,
  platform: Platform | undefined,
  ports: SealPorts,
): Promise<BootFile> {
  const { bootloader } = (await readBase(source, platform, DEFAULT_EPOCH, ports)).files;
  if (bootloader !== undefined) return bootloader;
  throw new BootsealError('seal/missing-file', 'the image has no systemd-boot', {
    hint: 'nothing needs to be signed before the UKI: run build-uki --output FILE',
  });
}

/** What is in the tree, and in the command line that names it. */
export function treeSteps(final: FinalTree, uki: Pick<NewUki, 'cmdline'>): Step[] {
  return [
    { id: 'composefs', title: 'composefs', state: 'passed', summary: final.digest },
    { id: 'cmdline', title: 'cmdline', state: 'passed', summary: uki.cmdline },
  ];
}

function ukiStep(base: SealBase, { parts }: NewUki): Step {
  return {
    id: 'uki',
    title: 'UKI',
    state: 'passed',
    summary: `${base.files.version}.efi  ${mebibytes(partsLength(parts))}, not signed yet`,
  };
}
