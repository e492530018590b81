/** Job `seal`: build the UKI, sign it and systemd-boot, and write the sealed image. */
import { gatherParts } from '../bytes/rope.ts';
import { DEFAULT_EPOCH, type Epoch } from '../composefs/epochs.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { ImageDestination, ImageSource } from '../stores/image.ts';
import type { Step } from '../steps.ts';
import { readBase, type SealBase, type SealPorts } from './base.ts';
import { finalTree } from './final-tree.ts';
import { finishSeal, type SealResult, type WriteOptions } from './finish.ts';
import { signProgram, type SecureBootKey, type SignedProgram } from './secure-boot.ts';
import { ukiOf } from './uki.ts';

export type { SealResult } from './finish.ts';

export interface SealRequest extends WriteOptions {
  readonly source: ImageSource;
  /** Of an index; default this machine's. */
  readonly platform?: Platform;
  readonly key: SecureBootKey;
  readonly additionalKargs?: string;
  readonly stub?: Uint8Array;
  /** Already signed; when absent, the image's own is signed with `key`. */
  readonly bootloader?: Uint8Array;
  readonly epoch?: Epoch;
}

/** `open` is called when all is made and signed: a failure before leaves the destination untouched. */
export async function sealImage(
  request: SealRequest,
  open: () => Promise<ImageDestination>,
  ports: SealPorts,
): Promise<SealResult> {
  const epoch = request.epoch ?? DEFAULT_EPOCH;
  // 1. Read the base image.
  const base = await readBase(request.source, request.platform, epoch, ports);
  // 2. Sign systemd-boot first: it is part of the tree that the UKI vouches for.
  const bootloader = await signedBootloader(base, request);
  // 3. The final tree and its digest.
  const final = await finalTree(base, bootloader && gatherParts(bootloader.parts), epoch);
  // 4. The UKI that names the digest, signed.
  const { parts, cmdline } = ukiOf(base, { ...request, digest: final.digest });
  const uki = { cmdline, ...(await signProgram(parts, request.key, 'UKI')) };
  // 5. Both layers on top of the base, written at once.
  const step = signedStep(base, bootloader);
  return finishSeal({ ...request, base, final, uki, bootloader: step, epoch, signal: ports.signal }, open);
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
    summary: `${own.path}  signed by ${bootloader.signedBy}`,
  };
}
