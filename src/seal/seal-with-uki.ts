/** Job `seal-with-uki`: the sealed image from its base and a UKI that was signed elsewhere. Nothing is signed here. */
import { equalBytes } from '../bytes/bytes.ts';
import { DEFAULT_EPOCH, type Epoch } from '../composefs/epochs.ts';
import { BootsealError } from '../errors.ts';
import { verifyPe, type PeVerdict } from '../formats/authenticode/verify.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { ImageDestination, ImageSource } from '../stores/image.ts';
import { inspectUki, type UkiInfo } from '../uki/inspect.ts';
import { readBase, type SealBase, type SealPorts } from './base.ts';
import { bootloaderStep } from './bootloader.ts';
import { finalTree } from './final-tree.ts';
import { finishSeal, type SealResult, type WriteOptions } from './finish.ts';
import { cmdlineOf, sealedDigest } from './sealed-digest.ts';

export interface SealWithUkiRequest extends WriteOptions {
  readonly source: ImageSource;
  /** Of an index; default this machine's. */
  readonly platform?: Platform;
  readonly uki: Uint8Array;
  /** systemd-boot as it was given to `build-uki`. */
  readonly bootloader?: Uint8Array;
  /** DER certificates that must have signed the UKI; when empty, any signature will do. */
  readonly certificates: readonly Uint8Array[];
  readonly epoch?: Epoch;
}

/** Throws with exit 1 when the UKI does not belong to the image, before the destination is opened. */
export async function sealWithUki(
  request: SealWithUkiRequest,
  open: () => Promise<ImageDestination>,
  ports: SealPorts,
): Promise<SealResult> {
  const epoch = request.epoch ?? DEFAULT_EPOCH;
  // 1. The UKI by itself: signed, and by whom.
  const signedBy = checkSignature(request);
  const info = inspectUki(request.uki);
  // 2. The base image, and the tree that it will be.
  const base = await readBase(request.source, request.platform, epoch, ports);
  const final = await finalTree(base, request.bootloader, epoch);
  // 3. The UKI must vouch for that tree, with that kernel.
  checkDigest(info, final.digest);
  checkKernel(info, base);
  // 4. Write.
  const uki = { parts: [request.uki], cmdline: cmdlineOf(info), signedBy };
  const bootloader = bootloaderStep(base, request.bootloader);
  return finishSeal({ ...request, base, final, uki, bootloader, epoch, signal: ports.signal }, open);
}

function checkSignature({ uki, certificates }: SealWithUkiRequest): string {
  const verdict: PeVerdict = verifyPe(uki, { anchors: certificates });
  if (verdict.signatures.length === 0) {
    throw new BootsealError('seal/uki-unsigned', 'the UKI is not signed', {
      exit: 1,
      hint: 'sign the file that build-uki wrote, for example: bootseal uki sign --key db.key --cert db.crt',
    });
  }
  if (certificates.length > 0 && !verdict.accepted) {
    const [reason] = verdict.reasons;
    throw new BootsealError(
      reason?.code ?? 'seal/uki-untrusted',
      reason?.message ?? 'the UKI is not accepted',
      {
        exit: 1,
        hint: 'the certificate given with --cert must be the one that signed the UKI, or its issuer',
      },
    );
  }
  const signature = verdict.signatures.find(({ accepted }) => accepted) ?? verdict.signatures[0];
  return signature.subject ?? 'an unknown certificate';
}

function checkDigest(info: UkiInfo, expected: string): void {
  const promised = sealedDigest(info);
  if (promised === expected) return;
  throw new BootsealError(
    'seal/digest-mismatch',
    `the UKI says composefs=${promised}, but the image with this UKI will be ${expected}`,
    { exit: 1, hint: 'build the UKI again from this image, with the same --systemd-boot file' },
  );
}

function checkKernel(info: UkiInfo, { files }: SealBase): void {
  const linux = info.sections.find(({ name }) => name === '.linux');
  if (linux === undefined || !equalBytes(linux.data, files.kernel.bytes)) {
    throw new BootsealError(
      'seal/other-kernel',
      `the kernel in the UKI is not /${files.kernel.path} of the image`,
      {
        exit: 1,
        hint: 'its modules would not load; build the UKI again from this image',
      },
    );
  }
}
