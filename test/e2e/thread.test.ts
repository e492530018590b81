/**
 * The whole thread on the real sample image and a real registry: seal, sign, push, verify, upgrade; and nine ways of
 * tampering, each refused at its own step with its own code.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Step } from '../../src/steps.ts';
import { readImage, writeImage } from '../support/layout.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { bootseal, bootsealOk, type CliResult } from '../support/run-cli.ts';
import { imageFile, kernelVersion, SAMPLE_TAG, sampleLayout, sampleName } from '../support/sample.ts';
import { makeWorkshop, type TestKey, type Workshop } from '../support/signing.ts';
import { changeFile, TAMPER_CASES, type TamperGround } from '../support/tamper.ts';

const REPOSITORY = 'acme/os';

let registry: TestRegistry;
let workshop: Workshop;
let keys: { own: TestKey; stranger: TestKey };
let secureBoot: string;
let policy: string[];
let sealed: string;
let ground: TamperGround;
const registriesOption = (): string[] => ['--registries.d', workshop.registries(registry.host)];
const remote = (image: string): string => `docker://${registry.host}/${image}`;
const dbKey = (): string[] => ['--key', join(secureBoot, 'db.key'), '--cert', join(secureBoot, 'db.crt')];

async function push(layout: string, tag: string, image: string, key?: TestKey): Promise<void> {
  const signer =
    key === undefined
      ? []
      : ['--sign-by-sigstore-private-key', key.privateFile, '--sign-passphrase-file', key.passphraseFile];
  const names = [`oci:${layout}:${tag}`, remote(image)];
  await bootsealOk(['copy', '--insecure-policy', ...registriesOption(), ...signer, ...names]);
}

async function verifySealed(
  image: string,
): Promise<{ result: CliResult; steps: readonly Step[]; code?: string }> {
  const cert = ['--cert', join(secureBoot, 'db.crt')];
  const result = await bootseal(['verify', '--sealed', '--json', ...cert, ...policy, remote(image)]);
  const { steps = [], reasonCode } = JSON.parse(result.stdout || '{}') as {
    steps?: Step[];
    reasonCode?: string;
  };
  return { result, steps, ...(reasonCode !== undefined && { code: reasonCode }) };
}

before(async () => {
  registry = await startRegistry();
  workshop = makeWorkshop();
  keys = { own: await workshop.makeKey('own'), stranger: await workshop.makeKey('stranger') };
  const requirement = {
    type: 'sigstoreSigned',
    keyPath: keys.own.publicFile,
    signedIdentity: { type: 'matchRepository' },
  };
  policy = ['--policy', workshop.policy({ [registry.host]: [requirement] }), ...registriesOption()];
  secureBoot = workshop.path('secureboot');
  await bootsealOk(['key', 'generate', 'secureboot', secureBoot]);

  const folder = mkdtempSync(join(tmpdir(), 'bootseal-thread-'));
  sealed = join(folder, 'sealed');
  await bootsealOk([
    'seal',
    '--from',
    sampleName(),
    '--to',
    `oci:${sealed}:latest`,
    ...dbKey(),
    '--embed-dump',
  ]);
  const other = join(folder, 'other-base');
  writeImage(
    other,
    'latest',
    changeFile(readImage(sampleLayout(), SAMPLE_TAG), 'etc/hostname', () => Buffer.from('other\n')),
  );
  const otherSealed = join(folder, 'other-sealed');
  await bootsealOk([
    'seal',
    '--from',
    `oci:${other}:latest`,
    '--to',
    `oci:${otherSealed}:latest`,
    ...dbKey(),
  ]);
  ground = {
    registry,
    folder,
    repository: REPOSITORY,
    sealed: { layout: sealed, tag: 'latest' },
    otherSealed: { layout: otherSealed, tag: 'latest' },
    ukiPath: `boot/EFI/Linux/${kernelVersion(sampleLayout(), SAMPLE_TAG)}.efi`,
    push: (layout, tag, image, key) => push(layout, tag, image, keys[key]),
    copy: async (from, to) => {
      const options = ['--insecure-policy', ...registriesOption()];
      await bootsealOk(['copy', ...options, remote(from), remote(to)]);
    },
  };
  await push(sealed, 'latest', `${REPOSITORY}:good`, keys.own);
});

after(async () => {
  await registry.stop();
  workshop.remove();
  rmSync(ground.folder, { recursive: true, force: true });
});

describe('sealing', () => {
  it('gives the same image again', async () => {
    const again = join(ground.folder, 'again');
    await bootsealOk([
      'seal',
      '--from',
      sampleName(),
      '--to',
      `oci:${again}:latest`,
      ...dbKey(),
      '--embed-dump',
    ]);
    assert.equal(
      readFileSync(join(again, 'index.json'), 'utf8'),
      readFileSync(join(sealed, 'index.json'), 'utf8'),
    );
  });

  it('gives the same image in steps, with the key elsewhere', async () => {
    const file = (name: string): string => join(ground.folder, name);
    const from = ['--from', sampleName()];
    await bootsealOk(['build-uki', ...from, '--extract-systemd-boot', file('sd.efi')]);
    await bootsealOk(['uki', 'sign', ...dbKey(), '--output', file('sd.signed.efi'), file('sd.efi')]);
    const systemdBoot = ['--systemd-boot', file('sd.signed.efi')];
    await bootsealOk(['build-uki', ...from, ...systemdBoot, '--output', file('uki.efi')]);
    await bootsealOk(['uki', 'sign', ...dbKey(), '--output', file('uki.signed.efi'), file('uki.efi')]);
    const uki = ['--uki', file('uki.signed.efi'), '--cert', join(secureBoot, 'db.crt')];
    const to = ['--to', `oci:${file('steps')}:latest`, '--embed-dump'];
    await bootsealOk(['seal-with-uki', ...from, ...to, ...systemdBoot, ...uki]);
    const index = (layout: string): string => readFileSync(join(layout, 'index.json'), 'utf8');
    assert.equal(index(file('steps')), index(sealed));
  });

  it('puts the digest of the final layers into the command line', async () => {
    const { stdout } = await bootsealOk(['digest', remote(`${REPOSITORY}:good`)]);
    const uki = Buffer.from(imageFile(sealed, 'latest', ground.ukiPath));
    assert.match(stdout, /^[0-9a-f]{128}\n$/);
    assert.ok(uki.includes(`composefs=${stdout.trim()}`));
    assert.ok(uki.includes('console=ttyS0'), 'kargs.d of the image');
  });
});

describe('a sealed and signed image in the registry', () => {
  it('holds at every link', async () => {
    const { result, steps } = await verifySealed(`${REPOSITORY}:good`);
    assert.equal(result.status, 0, result.stdout + result.stderr);
    assert.deepEqual(
      steps.map(({ id, state }) => `${id} ${state}`),
      ['signature', 'manifest', 'layers', 'uki', 'seal', 'bootloader'].map((id) => `${id} passed`),
    );
  });

  it('is drawn by report, whole', async () => {
    const page = join(ground.folder, 'report.html');
    const options = ['--cert', join(secureBoot, 'db.crt'), ...policy, '--output', page];
    await bootsealOk(['report', ...options, remote(`${REPOSITORY}:good`)]);
    assert.match(readFileSync(page, 'utf8'), /<li/);
  });

  it('is no longer accepted when another certificate is asked for', async () => {
    const cert = ['--cert', join(secureBoot, 'KEK.crt')];
    const args = ['verify', '--sealed', '--json', ...cert, ...policy, remote(`${REPOSITORY}:good`)];
    const { status, stdout } = await bootseal(args);
    assert.equal(status, 1);
    assert.equal((JSON.parse(stdout) as { reasonCode: string }).reasonCode, 'authenticode/untrusted-signer');
  });

  it('cannot be verified against no certificate at all', async () => {
    const { status } = await bootseal(['verify', '--sealed', ...policy, remote(`${REPOSITORY}:good`)]);
    assert.equal(status, 2);
  });
});

describe('tampering is refused', () => {
  const codes: Readonly<Record<string, string>> = {
    'manifest-byte': 'trust/no-signature',
    'layer-byte': 'store/digest-mismatch',
    'signature-byte': 'trust/bad-signature',
    'other-key': 'trust/bad-signature',
    'other-repository': 'trust/identity-mismatch',
    'uki-cmdline': 'authenticode/hash-mismatch',
    'uki-trailing': 'authenticode/trailing-data',
    'other-composefs': 'seal/other-image',
    'changed-file': 'seal/changed-after-sealing',
  };
  for (const { name, title, stoppedBy, apply } of TAMPER_CASES) {
    it(`${name}: ${title}`, async () => {
      const { image, undo } = await apply(ground);
      try {
        const { result, steps, code } = await verifySealed(image);
        assert.equal(result.status, 1, result.stdout + result.stderr);
        assert.equal(steps.find(({ state }) => state === 'failed')?.id, stoppedBy);
        assert.equal(code, codes[name]);
      } finally {
        await undo();
      }
    });
  }

  it('names the file that was changed', async () => {
    const changed = TAMPER_CASES.find(({ name }) => name === 'changed-file')!;
    const { image } = await changed.apply(ground);
    const { result } = await verifySealed(image);
    assert.match(result.stdout, /\/etc\/hostname \(/);
  });

  it('a manifest byte under a pinned digest does not match it', async () => {
    const { apply } = TAMPER_CASES.find(({ name }) => name === 'manifest-byte')!;
    const { undo } = await apply(ground);
    try {
      const index = JSON.parse(readFileSync(join(sealed, 'index.json'), 'utf8')) as {
        manifests: { digest: string }[];
      };
      const { result, steps } = await verifySealed(`${REPOSITORY}@${index.manifests[0].digest}`);
      assert.equal(result.status, 1);
      assert.equal(steps.find(({ state }) => state === 'failed')?.code, 'store/digest-mismatch');
    } finally {
      await undo();
    }
  });
});

describe('an upgrade', () => {
  it('takes a signed image, refuses an unsigned one and changes nothing', async () => {
    const host = ['--root', join(ground.folder, 'host')];
    const name = `${REPOSITORY}:rolling`;
    await push(sealed, 'latest', name, keys.own);
    await bootsealOk(['host', 'switch', remote(name), ...host, ...policy]);
    const before = (await bootsealOk(['host', 'status', '--json', ...host])).stdout;

    await push(ground.otherSealed.layout, 'latest', name);
    const refused = await bootseal(['host', 'upgrade', ...host, ...policy]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /A signature was required, but no signature exists/);
    assert.equal((await bootsealOk(['host', 'status', '--json', ...host])).stdout, before);

    await push(ground.otherSealed.layout, 'latest', name, keys.own);
    await bootsealOk(['host', 'upgrade', ...host, ...policy]);
    assert.notEqual((await bootsealOk(['host', 'status', '--json', ...host])).stdout, before);
  });
});
