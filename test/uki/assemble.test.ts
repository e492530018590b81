import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gatherParts } from '../../src/bytes/rope.ts';
import { signPe } from '../../src/formats/authenticode/sign.ts';
import { checkLayout, readPe } from '../../src/formats/pe/reader.ts';
import { assembleUki } from '../../src/uki/assemble.ts';
import { buildUkiFile, type UkiFileRequest } from '../../src/seal/uki-file.ts';
import { inspectUki } from '../../src/uki/inspect.ts';
import { inspectJson, inspectText } from '../../src/uki/inspect-output.ts';
import { readProfileFile } from '../../src/uki/profiles.ts';
import { joinInitrds } from '../../src/uki/sections.ts';
import { testSigner } from '../support/signer.ts';
import { materialise, readCases, vectorFile, type FileSpec } from '../support/uki-vectors.ts';

interface BuildCase {
  readonly name: string;
  readonly before?: readonly (readonly string[])[];
  readonly args: readonly string[];
  readonly files: Readonly<Record<string, FileSpec>>;
  readonly output: { readonly sha256: string; readonly size: number };
  readonly inspect?: Readonly<Record<string, unknown>>;
  readonly inspectRuns?: readonly { readonly args: readonly string[]; readonly stdout: string }[];
}

/** What `uki build` does not have: hardware ids (host data, by ukify's default), configuration files, PCR signatures. */
const UNSUPPORTED = /^--(hwids=.|config|pcr-|pcrsig|join-pcrsig|policy-digest|signing-provider)/;
/** Malformed stubs that ukify takes, some with a corrupt result. */
const MALFORMED = new Set([
  'bad-gap',
  'bad-gap-after-sbat',
  'bad-rp-unaligned',
  'bad-overlap',
  'bad-va-overlap',
]);
/** Options that the parser of the command line refuses before any of this runs. */
const BY_OPTIONS = new Set(['cli-unknown-option', 'cli-abbrev']);
const LISTS = new Set(['initrd', 'sbat', 'efifw', 'section', 'joinProfile', 'devicetreeAuto']);

const home = process.cwd();
let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'bootseal-uki-'))));
after(async () => {
  process.chdir(home);
  await rm(folder, { recursive: true, force: true });
});

const supported = (args: readonly string[]) => !args.some((arg) => UNSUPPORTED.test(arg));
const usable = (entry: BuildCase) =>
  [entry.args, ...(entry.before ?? [])].every(supported) &&
  Object.values(entry.files).every((spec) => !('package' in spec));

/** The files of a case in a folder of its own, which the process goes to: names in arguments are relative. */
async function enterFolder(name: string, files: BuildCase['files']): Promise<void> {
  const cwd = join(folder, name);
  await mkdir(cwd);
  process.chdir(cwd);
  for (const [file, spec] of Object.entries(files)) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, materialise(spec)!);
  }
}

/** ukify's arguments as the request that the command makes of them. */
function requestOf(args: readonly string[]): UkiFileRequest {
  const request: Record<string, string | string[]> = {};
  for (const arg of args.slice(1)) {
    const [, name = '', value = ''] = /^--([a-z-]+)=(.*)$/s.exec(arg) ?? [];
    const key = name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    if (key === 'hwids') continue;
    if (LISTS.has(key)) request[key] = [request[key] ?? [], value].flat();
    else request[key === 'efiArch' ? 'architecture' : key] = value;
  }
  return request as unknown as UkiFileRequest;
}

async function build(entry: BuildCase): Promise<void> {
  for (const args of entry.before ?? []) await buildUkiFile(requestOf(args));
  await buildUkiFile(requestOf(entry.args));
}

describe('uki build, against ukify 262', () => {
  for (const entry of readCases<BuildCase>('build')) {
    if (!usable(entry)) continue;
    it(entry.name, async () => {
      await enterFolder(entry.name, entry.files);
      if (MALFORMED.has(entry.name)) {
        await assert.rejects(build(entry), { code: 'uki/bad-stub' });
        return;
      }
      await build(entry);
      const uki = await readFile('out.efi');
      assert.equal(createHash('sha256').update(uki).digest('hex'), entry.output.sha256);
      const info = inspectUki(uki, { anyLayout: true });
      assert.deepEqual(inspectJson(info), entry.inspect);
      for (const run of entry.inspectRuns ?? []) {
        if (run.args[0] === 'inspect') assert.equal(inspectText(info), run.stdout);
      }
    });
  }
});

describe('uki build refuses what ukify refuses', () => {
  for (const entry of readCases<BuildCase>('refuse')) {
    if (!usable(entry) || BY_OPTIONS.has(entry.name)) continue;
    it(entry.name, async () => {
      await enterFolder(`refuse-${entry.name}`, entry.files);
      await assert.rejects(build(entry), (error: { code?: string }) =>
        /^[a-z]+\/[a-z-]+$/.test(error.code ?? ''),
      );
      const names = await readdir('.');
      assert.ok(!names.includes('out.efi') && !names.some((name) => name.endsWith('.tmp')), names.join(' '));
    });
  }
});

describe('assembleUki', () => {
  const stub = vectorFile('stub-x64.efi');
  const linux = vectorFile('k-x64.efi');

  it('copies no kernel and no initrd', () => {
    const initrd = new Uint8Array(100_000);
    const parts = assembleUki({ stub, sections: { linux, initrd: [initrd] } });
    assert.ok(parts.some((part) => part.buffer === initrd.buffer && part.length === initrd.length));
    assert.ok(parts.some((part) => part.buffer === linux.buffer && part.length === linux.length));
  });

  it('makes files that pass our own checks and can be signed', async () => {
    for (const name of [
      'stub-x64',
      'stub-x64-room4',
      'stub-x64-sa200',
      'stub-x64-unaligned-late',
      'stub-aa64',
    ]) {
      const parts = assembleUki({
        stub: vectorFile(`${name}.efi`),
        sections: { linux, cmdline: Buffer.from('quiet') },
      });
      checkLayout(readPe(parts));
      const signed = gatherParts(await signPe(parts, testSigner()));
      assert.equal(inspectUki(signed).sections.find((section) => section.name === '.cmdline')?.text, 'quiet');
    }
  });

  it('pads initrds to four bytes between each other, and a single one not at all', () => {
    const length = (...sizes: number[]) =>
      (joinInitrds(sizes.map((size) => new Uint8Array(size))) ?? []).reduce(
        (sum, part) => sum + part.length,
        0,
      );
    assert.equal(length(1001), 1001);
    assert.equal(length(1001, 512), 1516);
    assert.equal(length(3, 3), 8);
    assert.equal(joinInitrds([]), undefined);
    assert.equal(joinInitrds([new Uint8Array(0), new Uint8Array(0)]), undefined);
  });

  it('warns when it leaves an SBAT text out', () => {
    const warnings: string[] = [];
    assembleUki({
      stub,
      sections: { linux, sbat: ['acme,1,Acme,acme,1,u'] },
      warn: (message) => warnings.push(message),
    });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0], /SBAT given/);
  });

  it('refuses names that no section can have', () => {
    for (const name of ['.123456789', '.größe', '.a\n']) {
      const sections = { linux, extra: [{ name, data: new Uint8Array(1) }] };
      assert.throws(() => assembleUki({ stub, sections }), { code: 'uki/section-name' });
    }
    const sections = {
      linux,
      cmdline: new Uint8Array(1),
      extra: [{ name: '.cmdline', data: new Uint8Array(1) }],
    };
    assert.throws(() => assembleUki({ stub, sections }), { code: 'uki/duplicate-section' });
  });

  it('joins profiles that start with .profile, and no other files', () => {
    const uki = gatherParts(assembleUki({ stub, sections: { linux } }));
    assert.throws(() => readProfileFile(uki, false), { code: 'uki/not-a-profile' });
    assert.throws(() => readProfileFile(stub, false), { code: 'uki/not-a-profile' });
  });
});
