/** Sealing small images: what is refused, and that what is made holds together. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { gatherParts } from '../../src/bytes/rope.ts';
import { signPe } from '../../src/formats/authenticode/sign.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import type { SealPorts } from '../../src/seal/base.ts';
import { buildUki, type BuildUkiRequest, type BuildUkiResult } from '../../src/seal/build-uki.ts';
import { sealImage, type SealRequest, type SealResult } from '../../src/seal/seal.ts';
import { sealWithUki } from '../../src/seal/seal-with-uki.ts';
import type { ImageSource } from '../../src/stores/image.ts';
import { openLayerPorts } from '../../src/stores/layer-ports.ts';
import { openDestination, openSource } from '../../src/stores/open.ts';
import { inspectUki, sectionOf } from '../../src/uki/inspect.ts';
import { verifySealed, type SealedResult } from '../../src/verify/sealed.ts';
import { bootableImage, KERNEL_VERSION, type Files } from '../support/bootable.ts';
import { testSigner } from '../support/signer.ts';
import { putImage } from '../support/test-image.ts';
import { vectorFile } from '../support/uki-vectors.ts';

const folder = mkdtempSync(join(tmpdir(), 'bootseal-seal-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const ports: SealPorts = { openLayerPorts };
const key = testSigner('rsa2048');
const platform = { os: 'linux', architecture: 'amd64' };
let images = 0;

type Changes = Readonly<Record<string, Files[string] | undefined>>;

async function withImage<T>(changes: Changes, work: (source: ImageSource) => Promise<T>): Promise<T> {
  const name = `oci:${join(folder, `base-${++images}`)}:1`;
  await putImage(name, bootableImage(changes));
  const source = await openSource(parseImageName(name), {});
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

const build = (changes: Changes, options: Partial<BuildUkiRequest> = {}): Promise<BuildUkiResult> =>
  withImage(changes, (source) => buildUki({ source, platform, ...options }, ports));

async function seal(
  changes: Changes,
  options: Partial<SealRequest> = {},
): Promise<{ result: SealResult; name: string }> {
  const name = `oci:${join(folder, `sealed-${images}`)}:1`;
  const open = () => openDestination(parseImageName(name), {});
  const result = await withImage(changes, (source) =>
    sealImage({ source, platform, key, ...options }, open, ports),
  );
  return { result, name };
}

function verify(name: string, certificates = key.certificates): Promise<SealedResult> {
  const image = parseImageName(name);
  return verifySealed({ image, open: () => openSource(image, {}), platform, certificates }, ports);
}

const modules = `usr/lib/modules/${KERNEL_VERSION}`;
const stub = 'usr/lib/systemd/boot/efi/linuxx64.efi.stub';
const bootloader = 'usr/lib/systemd/boot/efi/systemd-bootx64.efi';

describe('build-uki', () => {
  it('takes everything from the image: kernel, initramfs, os-release, uname, kargs of this architecture', async () => {
    const { uki, cmdline, composefs } = await build({}, { additionalKargs: '  quiet   rw ' });
    assert.equal(cmdline, `console=ttyS0 composefs=${composefs} quiet rw`);
    const info = inspectUki(gatherParts(uki));
    const text = (name: string): string => Buffer.from(sectionOf(info, name)!.data).toString();
    assert.equal(text('.cmdline'), cmdline);
    assert.equal(text('.uname'), KERNEL_VERSION);
    assert.equal(text('.osrel'), 'ID=test\n');
    assert.equal(text('.initrd'), 'initramfs');
    assert.deepEqual(Buffer.from(sectionOf(info, '.linux')!.data), Buffer.from(vectorFile('k-x64.efi')));
  });

  it('names another tree once systemd-boot is signed', async () => {
    const signed = gatherParts(await signPe([vectorFile('s-plain.efi')], key));
    const plain = await build({});
    assert.notEqual((await build({}, { bootloader: signed })).composefs, plain.composefs);
    assert.equal(plain.steps.at(-1)?.code, 'seal/bootloader-unsigned');
  });

  const refused: [string, Changes, Partial<BuildUkiRequest>, string][] = [
    ['no kernel', { [`${modules}/vmlinuz`]: undefined }, {}, 'seal/no-kernel'],
    ['two kernels', { 'usr/lib/modules/7.0/vmlinuz': 'x' }, {}, 'seal/several-kernels'],
    ['no initramfs', { [`${modules}/initramfs.img`]: undefined }, {}, 'seal/missing-file'],
    ['a kernel that is a link', { [`${modules}/vmlinuz`]: { link: '/etc/passwd' } }, {}, 'seal/not-regular'],
    ['no os-release', { 'usr/lib/os-release': undefined }, {}, 'seal/missing-file'],
    ['no stub', { [stub]: undefined }, {}, 'seal/no-stub'],
    ['no /boot', { boot: undefined }, {}, 'composefs/bad-layout'],
    [
      'a karg that sets composefs=',
      {},
      { additionalKargs: `composefs=${'0'.repeat(128)}` },
      'seal/composefs-karg',
    ],
    [
      'a kargs.d that sets composefs=',
      { 'usr/lib/bootc/kargs.d/10-console.toml': `kargs = ["composefs=?${'0'.repeat(128)}"]\n` },
      {},
      'seal/composefs-karg',
    ],
    ['a kargs.d with an unknown key', { 'usr/lib/bootc/kargs.d/30.toml': 'karg = []\n' }, {}, 'kargs/'],
    [
      'an image that is sealed already',
      { [`${modules}/vmlinuz`]: undefined, 'boot/EFI/Linux/a.efi': vectorFile('s-uki.efi') },
      {},
      'seal/already-sealed',
    ],
    [
      'an SELinux policy that is not there',
      { 'etc/selinux/config': 'SELINUXTYPE=targeted\n' },
      {},
      'composefs/bad-selinux-policy',
    ],
  ];
  for (const [name, changes, options, code] of refused) {
    it(`refuses ${name}`, async () => {
      await assert.rejects(build(changes, options), (error: { code: string }) => {
        assert.ok(error.code.startsWith(code), `${error.code} instead of ${code}`);
        return true;
      });
    });
  }
});

describe('seal', () => {
  it('makes an image whose every link holds, and the same one again', async () => {
    const { result, name } = await seal({});
    const verdict = await verify(name);
    assert.deepEqual(
      verdict.steps.filter(({ state }) => state !== 'passed').map(({ id }) => id),
      ['signature'],
      JSON.stringify(verdict.steps, undefined, 1),
    );
    assert.equal(verdict.composefs, result.composefs);
    assert.equal((await seal({})).result.digest, result.digest);
  });

  it('leaves the kernel nowhere but in the UKI', async () => {
    const { name } = await seal({});
    const { digest } = await seal({}).then(({ result }) => result);
    await assert.rejects(
      (async () => {
        const source = await openSource(parseImageName(name), {});
        try {
          return await buildUki({ source, platform }, ports);
        } finally {
          await source.close();
        }
      })(),
      { code: 'seal/already-sealed' },
    );
    assert.match(digest, /^sha256:/);
  });

  it('is refused under a certificate that did not sign it, and under none', async () => {
    const { name } = await seal({});
    const other = await verify(name, testSigner('other').certificates);
    assert.equal(other.exit, 1);
    assert.equal(other.steps.find(({ id }) => id === 'uki')?.code, 'authenticode/untrusted-signer');
    assert.equal((await verify(name, [])).ok, false);
  });

  it('writes nothing in a dry run, and says what it would have written', async () => {
    const dry = await seal({}, { dryRun: true });
    assert.equal((await verify(dry.name)).exit, 3);
    assert.equal((await seal({})).result.digest, dry.result.digest);
  });

  it('does not open the destination when the image cannot be sealed', async () => {
    const before = readdirSync(folder).length;
    await assert.rejects(seal({ boot: undefined }));
    assert.equal(readdirSync(folder).filter((name) => name === `sealed-${images}`).length, 0);
    assert.ok(readdirSync(folder).length <= before + 1);
  });
});

describe('seal-with-uki', () => {
  async function complete(
    uki: Uint8Array,
    changes: Changes = {},
    certificates: Uint8Array[] = [],
  ): Promise<unknown> {
    const open = () => openDestination(parseImageName(`oci:${join(folder, `with-${++images}`)}:1`), {});
    return withImage(changes, (source) => sealWithUki({ source, platform, uki, certificates }, open, ports));
  }
  const signed = async (changes: Changes = {}, options: Partial<BuildUkiRequest> = {}): Promise<Uint8Array> =>
    gatherParts(await signPe((await build(changes, options)).uki, key));

  it('takes the UKI that build-uki made, signed', async () => {
    const result = (await complete(await signed(), {}, key.certificates)) as { composefs: string };
    assert.match(result.composefs, /^[0-9a-f]{128}$/);
  });

  it('refuses one that is not signed, or not by the certificate', async () => {
    await assert.rejects(complete(gatherParts((await build({})).uki)), {
      code: 'seal/uki-unsigned',
      exit: 1,
    });
    const uki = await signed();
    const other = testSigner('other').certificates;
    await assert.rejects(complete(uki, {}, other), { code: 'authenticode/untrusted-signer', exit: 1 });
  });

  it('refuses the UKI of another tree, and of another kernel', async () => {
    const tool = {
      'usr/bin/tool': 'another tool, just as long, so that only the content differs from what it was\n',
    };
    await assert.rejects(complete(await signed(tool)), { code: 'seal/digest-mismatch', exit: 1 });
    // The kernel is no part of the tree: two images with the same files may differ in it.
    const kernel = { [`${modules}/vmlinuz`]: vectorFile('k-x64-sbat.efi') };
    await assert.rejects(complete(await signed(kernel)), { code: 'seal/other-kernel', exit: 1 });
  });
});

describe('verify --sealed', () => {
  const broken: [string, Changes, string, string][] = [
    ['no UKI', { [`${modules}/vmlinuz`]: undefined }, 'uki', 'seal/no-uki'],
    ['a UKI that is a link', { 'boot/EFI/Linux/a.efi': { link: '../x' } }, 'uki', 'seal/not-regular'],
    ['an unsigned UKI', { 'boot/EFI/Linux/a.efi': vectorFile('s-uki.efi') }, 'uki', 'authenticode/unsigned'],
  ];
  for (const [title, changes, step, code] of broken) {
    it(`refuses ${title}`, async () => {
      const name = `oci:${join(folder, `odd-${++images}`)}:1`;
      await putImage(name, bootableImage(changes));
      const verdict = await verify(name);
      const failed = verdict.steps.find(({ state }) => state === 'failed');
      assert.deepEqual([failed?.id, failed?.code, verdict.ok], [step, code, false]);
    });
  }

  const promises: [string, string, string][] = [
    [
      'uki-open: composefs=? (verification optional)',
      `composefs=?${'1'.repeat(128)}`,
      'seal/verity-optional',
    ],
    ['no composefs=', 'quiet', 'seal/no-composefs-karg'],
    [
      'two composefs=',
      `composefs=${'1'.repeat(128)} composefs=${'2'.repeat(128)}`,
      'uki/composefs-ambiguous',
    ],
    ['a loose kernel beside the UKI', `composefs=${'1'.repeat(128)}`, 'seal/loose-kernel'],
  ];
  for (const [title, cmdline, code] of promises) {
    it(`refuses ${title}`, async () => {
      const { assembleUki } = await import('../../src/uki/assemble.ts');
      const sections = {
        linux: vectorFile('k-x64.efi'),
        initrd: [Buffer.from('i')],
        cmdline: Buffer.from(cmdline),
      };
      const uki = gatherParts(await signPe(assembleUki({ stub: vectorFile('stub-x64.efi'), sections }), key));
      const loader = gatherParts(await signPe([vectorFile('s-plain.efi')], key));
      const name = `oci:${join(folder, `promise-${++images}`)}:1`;
      await putImage(name, bootableImage({ 'boot/EFI/Linux/a.efi': uki, [bootloader]: loader }));
      const { steps } = await verify(name);
      assert.equal(steps.find(({ state }) => state === 'failed')?.code, code);
    });
  }

  it('uki-open: refuses a UKI without initrd', async () => {
    const { assembleUki } = await import('../../src/uki/assemble.ts');
    const sections = { linux: vectorFile('k-x64.efi'), cmdline: Buffer.from(`composefs=${'1'.repeat(128)}`) };
    const uki = gatherParts(await signPe(assembleUki({ stub: vectorFile('stub-x64.efi'), sections }), key));
    const name = `oci:${join(folder, `open-${++images}`)}:1`;
    await putImage(name, bootableImage({ 'boot/EFI/Linux/a.efi': uki }));
    const { steps } = await verify(name);
    assert.equal(steps.find(({ id }) => id === 'seal')?.code, 'seal/incomplete-uki');
  });

  it('an image that is not there is a broken first link, exit 3', async () => {
    const verdict = await verify(`oci:${join(folder, 'nowhere')}:1`);
    assert.equal(verdict.exit, 3);
    assert.equal(verdict.steps.find(({ state }) => state === 'failed')?.id, 'manifest');
  });
});
