/** Job `seal`: build the UKI, sign it and systemd-boot, and write the sealed image. */
import { gatherParts } from '../bytes/rope.ts';
import { DEFAULT_EPOCH, type Epoch } from '../composefs/epochs.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { Step } from '../steps.ts';
import type { ImageDestination, ImageSource } from '../stores/image.ts';
import { mebibytes, readBase, type SealBase, type SealPorts } from './base.ts';
import { bootLayer } from './boot-layer.ts';
import { treeSteps } from './build-uki.ts';
import { dumpOf } from './dump.ts';
import { finalTree } from './final-tree.ts';
import { signProgram, type SecureBootKey, type SignedProgram } from './secure-boot.ts';
import { ukiOf } from './uki.ts';
import { documentsOf, writeImage } from './write-image.ts';

export interface SealRequest {
  readonly source: ImageSource;
  /** Of an index; default this machine's. */
  readonly platform?: Platform;
  readonly key: SecureBootKey;
  readonly additionalKargs?: string;
  readonly stub?: Uint8Array;
  /** Already signed; when absent, the image's own is signed with `key`. */
  readonly bootloader?: Uint8Array;
  readonly epoch?: Epoch;
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

/** `open` is called when all is made and signed: a failure before leaves the destination untouched. */
export async function sealImage(
  request: SealRequest,
  open: () => Promise<ImageDestination>,
  ports: SealPorts,
): Promise<SealResult> {
  // 1. Read the base image.
  const epoch = request.epoch ?? DEFAULT_EPOCH;
  const base = await readBase(request.source, request.platform, epoch, ports);
  // 2. Sign systemd-boot first: it is part of the tree that the UKI vouches for.
  const bootloader = await signedBootloader(base, request);
  // 3. The final tree and its digest.
  const final = await finalTree(base, bootloader && gatherParts(bootloader.parts), epoch);
  // 4. The UKI that names the digest, signed.
  const uki = ukiOf(base, { ...request, digest: final.digest });
  const signed = await signProgram(uki.parts, request.key, 'UKI');
  const dump = request.embedDump === true ? dumpOf(final.tree, epoch) : undefined;
  const boot = bootLayer(base, signed.parts, dump);
  // 5. Both layers on top of the base, written at once.
  const layers = [final.layer, boot.layer];
  const manifest =
    request.dryRun === true
      ? documentsOf(base, layers).manifest
      : await writeImage(request.source, await open(), base, layers, ports.signal);
  return {
    composefs: final.digest,
    digest: manifest.digest,
    base: base.image.instance.digest,
    ukiPath: boot.path,
    addedLayers: layers.length,
    steps: [
      ...base.steps,
      ...treeSteps(final, uki),
      {
        id: 'uki',
        title: 'UKI',
        state: 'passed',
        summary: `${boot.path}  ${mebibytes(boot.size)}, ${by(signed)}`,
      },
      signedStep(base, bootloader),
    ],
  };
}

async function signedBootloader(base: SealBase, request: SealRequest): Promise<SignedProgram | undefined> {
  const own = base.files.bootloader;
  if (own === undefined) return undefined;
  if (request.bootloader === undefined) return signProgram([own.bytes], request.key, 'systemd-boot');
  return { parts: [request.bootloader], signedBy: 'the file given' };
}

function signedStep(base: SealBase, bootloader: SignedProgram | undefined): Step {
  const own = base.files.bootloader;
  if (own === undefined || bootloader === undefined) {
    const summary = 'the image has no systemd-boot; the UKI boots by itself';
    return { id: 'bootloader', title: 'bootloader', state: 'skipped', summary };
  }
  return {
    id: 'bootloader',
    title: 'bootloader',
    state: 'passed',
    summary: `${own.path}  ${by(bootloader)}`,
  };
}

function by({ signedBy }: SignedProgram): string {
  return `signed by ${signedBy}`;
}
