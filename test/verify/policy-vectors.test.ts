/** Every policy vector against our verify: the verdict of skopeo, with its words, or a stricter one that is listed. */
import assert from 'node:assert/strict';
import { chdir, cwd } from 'node:process';
import { after, before, describe, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { parseImageName, type ImageName } from '../../src/formats/reference/image-name.ts';
import { openSource } from '../../src/stores/open.ts';
import type { ImageSource } from '../../src/stores/image.ts';
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

describe('policy vectors', () => {
  for (const item of policyCases()) {
    test(item.name, async () => {
      replay.prepare(withServers(item));
      const outcome = await judge(item);
      console.log('XX', item.name, item.expected, outcome.verdict, JSON.stringify(item.message), JSON.stringify(outcome.message));
      assert.equal(outcome.verdict, item.expected, outcome.message);
    });
  }
});

interface Outcome {
  readonly verdict: Expected;
  readonly message: string;
  readonly result?: VerifyResult;
}

async function judge(item: PolicyCase, as?: PolicyTool): Promise<Outcome> {
  try {
    const result = await verifyWith(item, as);
    return { verdict: result.allowed ? 'accept' : 'reject', message: asRecorded(result.message ?? ''), result };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const isInvalid = error.code.startsWith('policy/');
    return { verdict: isInvalid ? 'invalid' : 'error', message: asRecorded(error.message) };
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
  const source = await openRecorded(image);
  try {
    return await verifyImage(request, { source });
  } finally {
    await source.close();
  }
}

/** The recorded registry is the mirror of every name, and ours stands in for it under its name. */
async function openRecorded(image: ImageName & { readonly transport: 'docker' }): Promise<ImageSource> {
  const physical = { ...image.reference, domain: RECORDED_HOST };
  const live = await openSource({ ...image, reference: { ...physical, domain: registry.host } });
  return { ...live, name: image, physical };
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
    .replaceAll(registry.host, RECORDED_HOST);
}
