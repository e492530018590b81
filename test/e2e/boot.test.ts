/**
 * The sealed sample image boots under enforced Secure Boot, and nothing that was changed after signing does.
 * The boot partition is laid out as an installer does it: systemd-boot is what the firmware starts, the UKI what
 * systemd-boot starts, so both signatures count.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { EnrolledKeys } from '../../src/formats/authvar/varstore.ts';
import { bootsealOk } from '../support/run-cli.ts';
import { SAMPLE_TAG, imageFile, kernelVersion, sampleLayout, sampleName } from '../support/sample.ts';
import { bootWithSecureBoot, type BootResult, type EspFiles } from '../support/vm.ts';

const BOOTLOADER = 'usr/lib/systemd/boot/efi/systemd-bootx64.efi';
/** The words of the firmware, and of systemd-boot that hands them on. */
const REFUSED = /Access Denied|Security Violation/;
const POWERED_OFF = /reboot: Power down/;

let folder: string;
let keys: EnrolledKeys;
/** As they are in the sealed image. */
let bootloader: Uint8Array;
let uki: Uint8Array;
let version: string;
let composefs: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-boot-'));
  const keyFolder = join(folder, 'keys');
  await bootsealOk(['key', 'generate', 'secureboot', keyFolder]);
  const certificate = (name: string) => readFile(join(keyFolder, `${name}.cer`));
  keys = {
    owner: (await readFile(join(keyFolder, 'GUID.txt'), 'utf8')).trim(),
    PK: await certificate('PK'),
    KEK: [await certificate('KEK')],
    db: [await certificate('db')],
  };
  const sealed = join(folder, 'sealed');
  const images = ['--from', sampleName(), '--to', `oci:${sealed}:latest`];
  const pair = ['--key', join(keyFolder, 'db.key'), '--cert', join(keyFolder, 'db.crt')];
  await bootsealOk(['seal', ...images, ...pair, '--additional-kargs', 'bootseal.test=poweroff']);
  version = kernelVersion(sampleLayout(), SAMPLE_TAG);
  bootloader = imageFile(sealed, 'latest', BOOTLOADER);
  uki = imageFile(sealed, 'latest', `boot/EFI/Linux/${version}.efi`);
  // Not the UKI's own word for it: the digest is computed again from the sealed image's layers.
  composefs = (await bootsealOk(['digest', `oci:${sealed}:latest`])).stdout.trim();
});
after(() => rm(folder, { recursive: true, force: true }));

function boot(esp: EspFiles): Promise<BootResult> {
  return bootWithSecureBoot({ esp, keys, until: [POWERED_OFF, REFUSED], timeout: 180_000 });
}

function assertRefused(result: BootResult): void {
  assert.equal(result.ended, 'matched', result.console);
  assert.match(result.console, REFUSED);
  assert.doesNotMatch(result.console, /Linux version|bootseal:/);
}

describe('a sealed image under enforced Secure Boot', () => {
  it('reaches its kernel and initramfs with the digest of its own layers', async () => {
    const { console } = await boot({
      'EFI/BOOT/BOOTX64.EFI': bootloader,
      [`EFI/Linux/${version}.efi`]: uki,
    });
    assert.match(console, POWERED_OFF);
    assert.ok(console.includes(`bootseal: kernel ${version}, lockdown none [integrity]`), console);
    assert.ok(console.includes('bootseal: SecureBoot=1'), console);
    assert.match(composefs, /^[0-9a-f]{128}$/);
    assert.ok(console.includes(`bootseal: initramfs reached, composefs=${composefs}`), console);
  });

  it('does not start with one byte of the kernel command line changed', async () => {
    const changed = Buffer.from(uki);
    const at = changed.indexOf(`composefs=${composefs}`) + 'composefs='.length;
    assert.ok(at > 'composefs='.length);
    changed[at] = changed[at] === 0x30 ? 0x31 : 0x30;
    assertRefused(await boot({ 'EFI/BOOT/BOOTX64.EFI': bootloader, [`EFI/Linux/${version}.efi`]: changed }));
  });

  it('does not start when the UKI is the one that was not signed', async () => {
    const unsigned = join(folder, 'unsigned.efi');
    await bootsealOk(['build-uki', '--from', sampleName(), '--output', unsigned]);
    const file = await readFile(unsigned);
    assertRefused(await boot({ 'EFI/BOOT/BOOTX64.EFI': bootloader, [`EFI/Linux/${version}.efi`]: file }));
  });

  it('does not start with the systemd-boot that was not signed', async () => {
    const unsigned = imageFile(sampleLayout(), SAMPLE_TAG, BOOTLOADER);
    assertRefused(await boot({ 'EFI/BOOT/BOOTX64.EFI': unsigned, [`EFI/Linux/${version}.efi`]: uki }));
  });

  it('starts without systemd-boot too: the firmware accepts the UKI itself', async () => {
    const { console } = await boot({ 'EFI/BOOT/BOOTX64.EFI': uki });
    assert.ok(console.includes(`bootseal: initramfs reached, composefs=${composefs}`), console);
  });
});
