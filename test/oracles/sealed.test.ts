/** The sealed sample image, looked at by other people's programs: what they read is what we wrote. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { cfsctlPath, peer, peerOk } from '../support/peers.ts';
import { bootsealOk } from '../support/run-cli.ts';
import { imageFile, kernelVersion, SAMPLE_TAG, sampleLayout, sampleName } from '../support/sample.ts';

const folder = mkdtempSync(join(tmpdir(), 'bootseal-oracle-sealed-'));
const file = (name: string): string => join(folder, name);
const BOOTLOADER = 'usr/lib/systemd/boot/efi/systemd-bootx64.efi';
let sealed: string;
let composefs: string;

before(async () => {
  await bootsealOk(['key', 'generate', 'secureboot', file('keys')]);
  const key = ['--key', file('keys/db.key'), '--cert', file('keys/db.crt')];
  sealed = file('sealed');
  const to = ['--to', `oci:${sealed}:latest`];
  const { stdout } = await bootsealOk(['seal', '--json', '--from', sampleName(), ...to, ...key]);
  ({ composefs } = JSON.parse(stdout) as { composefs: string });
  const version = kernelVersion(sampleLayout(), SAMPLE_TAG);
  writeFileSync(file('uki.efi'), imageFile(sealed, 'latest', `boot/EFI/Linux/${version}.efi`));
  writeFileSync(file('systemd-boot.efi'), imageFile(sealed, 'latest', BOOTLOADER));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('the installer’s view', () => {
  it('cfsctl computes, from the layers of the sealed image, the digest that the UKI names', () => {
    const cfsctl = (...args: readonly string[]): string =>
      peerOk(cfsctlPath(), ['--repo', file('repository'), ...args]).stdout.trim();
    cfsctl('init', '--insecure', '--algorithm', 'fsverity-sha512-12');
    cfsctl('oci', 'pull', `oci:${sealed}:latest`, 'sealed');
    assert.equal(cfsctl('--erofs-version', '1', 'oci', 'compute-id', 'sealed', '--bootable'), composefs);
  });

  it('skopeo copies the sealed image with its digest unchanged', () => {
    const digest = (layout: string): string => {
      const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
        manifests: { digest: string }[];
      };
      return index.manifests[0].digest;
    };
    peerOk('skopeo', [
      'copy',
      '--insecure-policy',
      '--preserve-digests',
      `oci:${sealed}:latest`,
      `oci:${file('copied')}:latest`,
    ]);
    assert.equal(digest(file('copied')), digest(sealed));
  });
});

describe('the UKI and systemd-boot of the sealed image', () => {
  for (const program of ['uki.efi', 'systemd-boot.efi']) {
    it(`${program}: sbverify and osslsigncode accept it under db, and not under KEK`, () => {
      const certificate = (name: string): string => file(`keys/${name}.crt`);
      for (const [name, accepted] of [
        ['db', true],
        ['KEK', false],
      ] as const) {
        const sbverify = peer('sbverify', ['--cert', certificate(name), file(program)]);
        const osslsigncode = peer('osslsigncode', [
          'verify',
          '-CAfile',
          certificate(name),
          '-in',
          file(program),
        ]);
        assert.deepEqual([sbverify.status === 0, osslsigncode.status === 0], [accepted, accepted]);
      }
    });
  }

  it('objcopy and ukify read the command line', () => {
    const output = file('cmdline');
    const { status, error } = spawnSync('objcopy', [
      '-O',
      'binary',
      '--only-section=.cmdline',
      file('uki.efi'),
      output,
    ]);
    assert.equal(status, 0, error && 'objcopy is missing; install it: apt-get install binutils');
    assert.ok(readFileSync(output, 'utf8').split(' ').includes(`composefs=${composefs}`));
    assert.match(peerOk('ukify', ['inspect', file('uki.efi')]).stdout, new RegExp(`composefs=${composefs}`));
  });
});
