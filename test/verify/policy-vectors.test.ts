/** Every policy vector against our verify: the verdict of skopeo, with its words, or a stricter one that is listed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chdir, cwd } from 'node:process';
import { after, before, describe, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { lookasideBase, useSigstoreAttachments } from '../../src/formats/registries-d/lookup.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { loadRegistriesConfig } from '../../src/stores/trust-files/registries-d.ts';
import type { PolicyTool } from '../../src/verify/as-tool.ts';
import { verifyImage, type VerifyResult } from '../../src/verify/verify.ts';
import { startLookasideServer, type LookasideServer } from '../support/lookaside-server.ts';
import {
  makeReplayFolder,
  policyCases,
  startVectorRegistry,
  type Expected,
  type PolicyCase,
} from '../support/policy-vectors.ts';
import { OTHER_WORDS, STRICTER } from '../support/policy-differences.ts';
import { projectRoot } from '../support/project.ts';
import { openRecorded } from '../support/recorded-registries.ts';
import type { TestRegistry } from '../support/registry.ts';

/** Where the vectors' servers were; cases name them in policies, registries.d and signatures. */
const RECORDED_HOST = '127.0.0.1:5117';
const RECORDED_LOOKASIDE = '127.0.0.1:5118';

const replay = makeReplayFolder();
const home = cwd();
let registry: TestRegistry;
let lookaside: LookasideServer;
before(async () => {
  registry = await startVectorRegistry();
  lookaside = await startLookasideServer(replay.root);
  chdir(replay.root);
});
after(async () => {
  chdir(home);
  replay.remove();
  await lookaside.stop();
  await registry.stop();
});

const cases = policyCases();

describe('policy vectors', () => {
  for (const item of cases) {
    test(item.name, async () => {
      replay.prepare(withServers(item));
      const outcome = await judge(item);
      const stricter = STRICTER[item.name];
      if (stricter !== undefined) {
        // 1. No laxer, and still different: an entry that is no longer true must go.
        assert.equal(outcome.verdict, stricter.ours, outcome.message);
        return;
      }
      // 2. The same verdict, in the same words.
      assert.equal(outcome.verdict, item.expected, outcome.message);
      if (item.expected !== 'accept' && item.message_varies !== true) assertWords(item, outcome.message);
      // 3. By the same scope and the same requirements.
      if (outcome.result !== undefined) assertWay(item, outcome.result);
      if (item.expected === 'invalid') assert.match(outcome.where ?? '', /^run\/policy\.json:\d+:\d+$/);
    });
  }

  test('nothing is listed as different that is not a case', () => {
    const names = new Set(cases.map(({ name }) => name));
    const unknown = [...Object.keys(STRICTER), ...Object.keys(OTHER_WORDS)].filter(
      (name) => !names.has(name),
    );
    assert.deepEqual(unknown, []);
  });

  test('each stricter verdict is in docs/conformance.md, with its reason', () => {
    const text = readFileSync(`${projectRoot()}/docs/conformance.md`, 'utf8');
    for (const [name, { entry }] of Object.entries(STRICTER)) {
      assert(text.includes(`<a id="${entry}"></a>`), `${name}: no entry ${entry}`);
    }
  });
});

describe('policy vectors, as bootc judges them', () => {
  const recorded = cases.filter(({ proxy }) => proxy !== undefined);
  for (const item of recorded) {
    test(item.name, async () => {
      replay.prepare(withServers(item));
      const { verdict, message } = await judge(item, 'bootc');
      const { proxy } = item;
      assert.equal(verdict, proxy?.expected, message);
      if (verdict === 'reject') assert.equal(message, `Source image rejected: ${proxy?.message}`);
    });
  }
  test('there are such cases', () => assert.equal(recorded.length, 39));
});

describe('policy vectors, where signatures are looked for', () => {
  const recorded = cases.filter((item) => item.lookaside !== undefined);
  for (const item of recorded) {
    test(item.name, async () => {
      replay.prepare(withServers(item));
      const config = await loadRegistriesConfig({ env: process.env, directory: 'run/registries.d' });
      const image = parseImageName(item.reference);
      assert(image.transport === 'docker');
      const physical = { ...image.reference, domain: RECORDED_HOST };
      const base = lookasideBase(config, physical);
      const used = item.lookaside?.findLast((line) => line.startsWith('Using "'));
      assert.equal(base && asRecorded(`Using "${base.from?.key}" ${base.value}`), used);
      if (base !== undefined) {
        const sections = item.lookaside?.filter((line) => line.startsWith('Lookaside configuration'));
        assert.equal(sections?.at(-1), `Lookaside configuration: using ${sectionWords(base.from?.section)}`);
      }
      const attachments = item.attachments ?? [];
      const isOn = attachments.some((line) => line.startsWith('Looking for'));
      const isOff = attachments.some((line) => line.startsWith('Not looking for'));
      // Neither is there where the look-aside store has failed before.
      if (isOn || isOff) assert.equal(useSigstoreAttachments(config, physical).value, isOn);
    });
  }
  test('there are such cases', () => assert.equal(recorded.length, 231));
});

function sectionWords(section: string | undefined): string {
  const match = /^namespace "(.*)"$/.exec(section ?? '');
  return match === null ? '"default-docker" configuration' : `"docker" namespace ${match[1]}`;
}

/** gpgme prints its structures, and Go a pointer: there our own words follow the last word that is text. */
function assertWords(item: PolicyCase, message: string): void {
  const other = OTHER_WORDS[item.name];
  const wanted = item.message.replace(/^initializing source [^ ]+: /, '');
  if (other !== undefined) {
    assert.notEqual(message, wanted, 'no longer different');
    assert.match(message, other);
    return;
  }
  const gpgme = wanted.indexOf('gpgme.Signature{');
  if (gpgme >= 0) assert.equal(message.slice(0, gpgme), wanted.slice(0, gpgme));
  else if (item.kind === 'gpg-signature')
    assert(message === wanted || message.startsWith(`${wanted}: `), message);
  else assert.equal(message, wanted);
}

function assertWay(item: PolicyCase, { judged }: VerifyResult): void {
  const deciding = judged.filter(({ role }) => role !== 'index');
  const requirements = deciding.flatMap(({ verdict }) => {
    return verdict.requirements.map(({ allowed }) => (allowed ? 'allowed' : 'denied'));
  });
  if (item.requirements !== undefined) assert.deepEqual(requirements, item.requirements);
  const sections = deciding.map(({ verdict: { scope } }) => {
    return scope.transport === '' ? 'default' : `${scope.transport} ${scope.scope}`.trimEnd();
  });
  if (item.sections !== undefined) assert.deepEqual(sections.map(asRecorded), item.sections);
}

interface Outcome {
  readonly verdict: Expected;
  readonly message: string;
  readonly where?: string;
  readonly result?: VerifyResult;
}

async function judge(item: PolicyCase, as?: PolicyTool): Promise<Outcome> {
  try {
    const result = await verifyWith(item, as);
    const message = asRecorded(result.message ?? '');
    return { verdict: result.allowed ? 'accept' : 'reject', message, result };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    assert.equal(error.exit, 3, error.message);
    return {
      verdict: error.code.startsWith('policy/') ? 'invalid' : 'error',
      message: asRecorded(error.message),
      ...(error.where !== undefined && { where: error.where }),
    };
  }
}

async function verifyWith(item: PolicyCase, as: PolicyTool | undefined): Promise<VerifyResult> {
  const image = parseImageName(item.reference);
  const request = {
    image,
    policyFile: 'run/policy.json',
    registriesDirectory: 'run/registries.d',
    all: item.copy_options?.includes('--all') === true,
    platform: { os: 'linux', architecture: 'amd64' },
    ...(as && { as }),
  };
  if (image.transport !== 'docker') return verifyImage(request);
  const source = await openRecorded(image, 'run/registries.conf', RECORDED_HOST, registry.host);
  try {
    return await verifyImage(request, { source });
  } finally {
    await source.close();
  }
}

function withServers(item: PolicyCase): PolicyCase {
  const files = Object.entries(item.files ?? {}).map(([name, text]) => {
    return [name, text.replaceAll(RECORDED_LOOKASIDE, lookaside.host)] as const;
  });
  return { ...item, files: Object.fromEntries(files) };
}

function asRecorded(text: string): string {
  return text
    .replaceAll(replay.root, '@ROOT@')
    .replaceAll(lookaside.host, RECORDED_LOOKASIDE)
    .replaceAll(registry.host, RECORDED_HOST)
    .replaceAll(/current time \S+Z /g, 'current time NOW ');
}
