/** Every policy vector against our verify: the same verdict as skopeo, with its words, or never laxer. */
import assert from 'node:assert/strict';
import { chdir, cwd } from 'node:process';
import { after, before, describe, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { parsePolicy } from '../../src/formats/policy-json/reader.ts';
import { parseImageName, type ImageName } from '../../src/formats/reference/image-name.ts';
import { openSource } from '../../src/stores/open.ts';
import type { ImageSource } from '../../src/stores/image.ts';
import { findRequirements } from '../../src/trust/scope.ts';
import { resolvedPathOf, verifyImage, type VerifyResult } from '../../src/verify/verify.ts';
import {
  makeReplayFolder,
  policyCases,
  startVectorRegistry,
  type PolicyCase,
} from '../support/policy-vectors.ts';
import type { TestRegistry } from '../support/registry.ts';

/** Where the vectors' registry was; cases name it in policies, registries.d and signatures. */
const RECORDED_HOST = '127.0.0.1:5117';

const replay = makeReplayFolder();
const home = cwd();
let registry: TestRegistry;
before(async () => {
  registry = await startVectorRegistry();
  chdir(replay.root);
});
after(async () => {
  chdir(home);
  replay.remove();
  await registry.stop();
});

/** Cases outside what verify does, with the reason. */
function notOurs(item: PolicyCase): string | undefined {
  if (item.copy_options?.includes('index-only')) return 'skopeo judges nothing for --multi-arch index-only';
  if (item.name.startsWith('registries.d/conf-')) return 'about registries.conf';
  if (item.reference.startsWith('docker-archive:')) return 'docker-archive: cannot be read yet';
  return undefined;
}

const counts = { exact: 0, stricter: 0 };

describe('policy vectors', () => {
  const cases = policyCases();
  for (const item of cases.filter((each) => notOurs(each) === undefined)) {
    test(item.name, async () => {
      replay.prepare(item);
      if (item.expected === 'invalid') return expectInvalid(item);
      const outcome = await judge(item);
      if (!(await isSupported(item))) {
        counts.stricter += 1;
        if (item.expected === 'reject') assert.notEqual(outcome.verdict, 'accept', 'laxer than skopeo');
        return undefined;
      }
      counts.exact += 1;
      assert.equal(outcome.verdict, item.expected, outcome.message);
      if (item.expected !== 'accept' && item.message_varies !== true) {
        assert.equal(outcome.message.replaceAll(replay.root, '@ROOT@'), wanted(item));
      }
      return undefined;
    });
  }

  test('most of the vectors are compared exactly', () => {
    assert.deepEqual(counts, { exact: 203, stricter: 406 });
  });

  test('no more are left out than what verify does not do', () => {
    const reasons: Record<string, number> = {};
    for (const reason of cases.map(notOurs).filter((each) => each !== undefined)) {
      reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    assert.deepEqual(reasons, {
      'about registries.conf': 2,
      'docker-archive: cannot be read yet': 6,
      'skopeo judges nothing for --multi-arch index-only': 7,
    });
  });
});

function wanted(item: PolicyCase): string {
  return item.message.replace(/^initializing source [^ ]+: /, '');
}

async function expectInvalid(item: PolicyCase): Promise<void> {
  const request = { image: parseImageName(item.reference), policyFile: 'run/policy.json' };
  await assert.rejects(verifyImage(request), (error: unknown) => {
    assert(isBootsealError(error));
    assert.match(error.code, /^policy\//);
    assert.equal(error.exit, 3);
    assert.match(error.where ?? '', /^run\/policy\.json:\d+:\d+$/);
    if (item.message_varies !== true)
      assert.equal(error.message.replaceAll(replay.root, '@ROOT@'), item.message);
    return true;
  });
}

interface Outcome {
  readonly verdict: 'accept' | 'reject' | 'error';
  readonly message: string;
}

async function judge(item: PolicyCase): Promise<Outcome> {
  const image = parseImageName(item.reference);
  try {
    const result = await verifyWith(item, image);
    return { verdict: result.allowed ? 'accept' : 'reject', message: result.message ?? '' };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return { verdict: 'error', message: error.message };
  }
}

async function verifyWith(item: PolicyCase, image: ImageName): Promise<VerifyResult> {
  const request = {
    image,
    policyFile: 'run/policy.json',
    registriesDirectory: 'run/registries.d',
    all: item.copy_options?.includes('--all') === true,
    platform: { os: 'linux', architecture: 'amd64' },
  };
  if (image.transport !== 'docker') return verifyImage(request);
  // The recorded registry is the mirror of every name, and ours stands in for it under its name.
  const recorded = { ...image.reference, domain: RECORDED_HOST };
  const live = await openSource({ ...image, reference: { ...recorded, domain: registry.host } });
  const source: ImageSource = { ...live, name: { ...image, reference: recorded } };
  try {
    return await verifyImage(request, { source });
  } finally {
    await live.close();
  }
}

/** Whether every requirement that speaks for the image is of a kind that is judged now, with signatures that are read now. */
async function isSupported(item: PolicyCase): Promise<boolean> {
  const text = item.files?.['policy.json'];
  const bytes =
    text === undefined ? Buffer.from(item.files_base64?.['policy.json'] ?? '', 'base64') : Buffer.from(text);
  const policy = parsePolicy(Buffer.from(bytes.toString().replaceAll('@ROOT@', replay.root)), {
    file: 'policy.json',
  });
  const image = parseImageName(item.reference);
  const { resolvedPath } = await resolvedPathOf(image);
  const { requirements } = findRequirements(policy, image, resolvedPath);
  // Signatures in look-aside stores are not read yet.
  const lookaside = Object.values(item.files ?? {}).some((content) =>
    /lookaside|sigstore(?:-staging)?:/.test(content),
  );
  return requirements.every((requirement) => {
    switch (requirement.type) {
      case 'insecureAcceptAnything':
      case 'reject':
        return !(lookaside && item.expected === 'error');
      case 'sigstoreSigned':
        return requirement.trust.kind === 'keys' && requirement.rekor === undefined && !lookaside;
      case 'signedBy':
      case 'signedBaseLayer':
      default:
        return false;
    }
  });
}
