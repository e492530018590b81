/**
 * Generated policies × references × signature sets: our verdict is skopeo's on each. BOOTSEAL_SEED repeats a run,
 * BOOTSEAL_POLICY_CASES sets the number of cases.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { peerOk } from '../support/peers.ts';
import { generateCase, type GeneratedCase, type GeneratedSignature } from '../support/policy-generator.ts';
import { vectorPath } from '../support/project.ts';
import { chooseSeed, makeRandom } from '../support/random.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { makeSignatureKit, type SignatureKit } from '../support/signature-kit.ts';
import { runSkopeo, type SkopeoRun, type SkopeoVerdict } from '../support/skopeo-batch.ts';

const seed = chooseSeed();
const count = Number(process.env['BOOTSEAL_POLICY_CASES'] ?? 2000);
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bootseal-generated-')));
const digests = JSON.parse(readFileSync(vectorPath('policy', 'digests.json'), 'utf8')) as Record<
  string,
  string
>;
let registry: TestRegistry;
let kit: SignatureKit;

before(async () => {
  registry = await startRegistry();
  kit = await makeSignatureKit(join(folder, 'keys'));
  for (const repository of ['org/app', 'org/other', 'library/busybox']) {
    for (const [image, tags] of Object.entries({ app: ['v1', 'latest'], other: ['v2'] }))
      for (const tag of tags) push(image, repository, tag);
    push('multi', `multi/${repository}`, 'v1', '--all');
    push('multi', `multi/${repository}`, 'latest', '--all');
  }
});
after(async () => {
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

function push(image: string, repository: string, tag: string, ...options: string[]): void {
  const target = `docker://${registry.host}/${repository}:${tag}`;
  const source = `dir:${vectorPath('policy', 'images', image)}`;
  peerOk('skopeo', ['--insecure-policy', 'copy', ...options, '--dest-tls-verify=false', source, target]);
}

test(`the same verdict as skopeo on ${count} generated cases, seed ${seed}`, async (context) => {
  const random = makeRandom(seed);
  const cases: { readonly item: GeneratedCase; readonly place: CasePlace }[] = [];
  for (let number = 0; number < count; number++) {
    const place = casePlace(String(number).padStart(5, '0'));
    const item = generateCase(random, {
      digests,
      keys: kit.folder,
      readKey: (name) => readFileSync(join(kit.folder, name)),
      imageFolder: place.image,
    });
    await writeCase(item, place);
    cases.push({ item, place });
  }
  const theirs = runSkopeo(
    join(folder, 'runs'),
    cases.map(({ item, place }) => skopeoRun(item, place)),
  );
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  let words = 0;
  for (const { item, place } of cases) {
    const expected = theirs.get(place.name)!;
    const ours = await judge(item, place);
    const stricter =
      STRICTER.includes(ours.code) && expected.verdict === 'accept' && ours.verdict === 'reject';
    const key = stricter ? `stricter: ${ours.code}` : expected.verdict;
    counts[key] = (counts[key] ?? 0) + 1;
    if (ours.message === expected.message) words += 1;
    if (ours.verdict !== expected.verdict && !stricter) {
      const files = `${item.policy}\n${JSON.stringify([item.reference, item.image, item.all, item.signatures, item.instanceSignatures])}`;
      wrong.push(
        `${place.name}: skopeo ${expected.verdict} ${expected.message}\n  ours ${ours.verdict} ${ours.message}\n  ${files}`,
      );
    }
  }
  context.diagnostic(`${JSON.stringify(counts)}, in the same words: ${words}`);
  assert.equal(
    wrong.length,
    0,
    `${wrong.length} of ${count} differ, seed ${seed}\n${wrong.slice(0, 10).join('\n')}`,
  );
  // A generator whose cases all end alike shows nothing.
  for (const verdict of ['accept', 'reject']) assert(counts[verdict] > count / 20, JSON.stringify(counts));
});

/** Listed in docs/conformance.md. */
const STRICTER: readonly string[] = ['policy/rekor-empty'];

interface CasePlace {
  readonly name: string;
  readonly folder: string;
  /** Folder of a `dir:` image. */
  readonly image: string;
}

function casePlace(name: string): CasePlace {
  const place = join(folder, 'cases', name);
  return { name, folder: place, image: join(place, 'a', 'img') };
}

async function writeCase(item: GeneratedCase, place: CasePlace): Promise<void> {
  mkdirSync(join(place.folder, 'registries.d'), { recursive: true });
  writeFileSync(join(place.folder, 'policy.json'), item.policy);
  const signatures = await Promise.all(item.signatures.map(signatureBytes));
  const instance = await Promise.all(item.instanceSignatures.map(signatureBytes));
  const instanceHex = digests['app'].slice('sha256:'.length);
  if (item.reference.startsWith('dir:')) {
    cpSync(vectorPath('policy', 'images', item.image), place.image, { recursive: true });
    for (const [at, bytes] of signatures.entries())
      writeFileSync(join(place.image, `signature-${at + 1}`), bytes);
    for (const [at, bytes] of instance.entries())
      writeFileSync(join(place.image, `${instanceHex}.signature-${at + 1}`), bytes);
    return;
  }
  // The store is asked for the path in the registry, after registries.conf.
  const path = physicalPath(item);
  const store = (hex: string, all: readonly Uint8Array[]): void => {
    const at = join(place.folder, 'lookaside', `${path}@sha256=${hex}`);
    mkdirSync(at, { recursive: true });
    for (const [number, bytes] of all.entries()) writeFileSync(join(at, `signature-${number + 1}`), bytes);
  };
  store(digests[item.image].slice('sha256:'.length), signatures);
  if (item.image === 'multi') store(instanceHex, instance);
  writeFileSync(
    join(place.folder, 'registries.d', 'a.yaml'),
    `default-docker:\n  lookaside: file://${place.folder}/lookaside\n`,
  );
  const domain = /^docker:\/\/([^/]+)\//.exec(item.reference)![1];
  const location = item.image === 'multi' ? `${registry.host}/multi` : registry.host;
  writeFileSync(
    join(place.folder, 'registries.conf'),
    `[[registry]]\nprefix = "${domain}"\nlocation = "${location}"\ninsecure = true\n`,
  );
}

function physicalPath({ reference, image }: GeneratedCase): string {
  const path = /^docker:\/\/[^/]+\/([^:@]+)/.exec(reference)![1];
  return image === 'multi' ? `multi/${path}` : path;
}

async function signatureBytes(signature: GeneratedSignature): Promise<Uint8Array> {
  switch (signature.kind) {
    case 'sigstore':
      return kit.sigstore(signature.options);
    case 'simple':
      return kit.simple(signature.options);
    case 'garbage':
    default:
      return Buffer.from('hello');
  }
}

function referenceOf({ reference }: GeneratedCase, place: CasePlace): string {
  return reference.replace('IMAGE', place.image);
}

function skopeoRun(item: GeneratedCase, place: CasePlace): SkopeoRun {
  const at = (name: string): string => join(place.folder, name);
  const conf = item.reference.startsWith('dir:') ? [] : ['--registries-conf', at('registries.conf')];
  const platform = ['--override-arch', 'amd64', '--override-os', 'linux'];
  return {
    name: place.name,
    global: ['--policy', at('policy.json'), '--registries.d', at('registries.d'), ...conf, ...platform],
    copy: [...(item.all ? ['--all'] : []), '--src-tls-verify=false', referenceOf(item, place)],
  };
}

interface OurVerdict extends SkopeoVerdict {
  readonly code: string;
}

async function judge(item: GeneratedCase, place: CasePlace): Promise<OurVerdict> {
  try {
    const result = await verifyImage(
      {
        image: parseImageName(referenceOf(item, place)),
        policyFile: join(place.folder, 'policy.json'),
        registriesDirectory: join(place.folder, 'registries.d'),
        all: item.all,
        platform: { os: 'linux', architecture: 'amd64' },
      },
      {
        transport: {
          tlsVerify: false,
          ...(!item.reference.startsWith('dir:') && {
            registriesConfFile: join(place.folder, 'registries.conf'),
          }),
        },
      },
    );
    const { allowed, message = '', reasonCode = '' } = result;
    return { verdict: allowed ? 'accept' : 'reject', message, code: reasonCode };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const { code, message } = error;
    return { verdict: code.startsWith('policy/') ? 'invalid' : 'error', message, code };
  }
}
