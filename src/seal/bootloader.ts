/** What sealing says of systemd-boot: whether firmware will start it, as far as that can be known here. */
import { verifyPe } from '../formats/authenticode/verify.ts';
import type { Step } from '../steps.ts';
import type { SealBase } from './base.ts';

/** `replacement`: the systemd-boot that takes the place of the image's own. */
export function bootloaderStep(base: SealBase, replacement: Uint8Array | undefined): Step {
  const own = base.files.bootloader;
  const id = 'bootloader';
  const title = 'bootloader';
  if (own === undefined) {
    return { id, title, state: 'skipped', summary: 'the image has no systemd-boot; the UKI boots by itself' };
  }
  const program = replacement ?? own.bytes;
  if (verifyPe(program, { anchors: [] }).signatures.length > 0) {
    return { id, title, state: 'passed', summary: `${own.path}  signed` };
  }
  return {
    id,
    title,
    state: 'warning',
    summary: `${own.path}  not signed: firmware with Secure Boot will refuse it`,
    code: 'seal/bootloader-unsigned',
    hint: 'sign it elsewhere and give the signed file with --systemd-boot FILE, here and to seal-with-uki',
  };
}
