/**
 * Digests of random images equal those of cfsctl 0.9.0 and 0.9.4, each by its own rules, refusals included.
 * BOOTSEAL_SEED=N tries other images than the usual ones; BOOTSEAL_IMAGES=N another number of them.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { digestOfTree, EPOCHS, findEpoch, type Epoch } from '../../src/composefs/epochs.ts';
import { isBootsealError, type BootsealError } from '../../src/errors.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { attempt, attemptAsync } from '../support/oci-vectors.ts';
import { layer, treeOf } from '../support/layers.ts';
import { cfsctlPath, type CfsctlVersion } from '../support/peers.ts';
import { randomImage, type RandomLayer } from './random-images/generator.ts';
import { createRandom } from './random-images/random.ts';

const FIRST = Number(process.env['BOOTSEAL_SEED'] ?? 1);
const COUNT = Number(process.env['BOOTSEAL_IMAGES'] ?? 200);
/** Images at a time. */
const PARALLEL = 2;
/** cfsctl has looped for ever on odd layers. */
const TIMEOUT = 20_000;

const RULES: Readonly<Record<CfsctlVersion, string>> = { '0.9.0': 'current', '0.9.4': 'next' };

const folder = mkdtempSync(join(tmpdir(), 'bootseal-random-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly ok: boolean;
  readonly text: string;
}

function cfsctl(version: CfsctlVersion, repository: string, args: readonly string[]): Promise<Outcome> {
  const all = ['--repo', repository, ...args];
  return new Promise((resolve) => {
    execFile(
      cfsctlPath(version),
      all,
      { timeout: TIMEOUT, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        resolve({ ok: error === null, text: error === null ? stdout.trim() : stderr.trim() });
      },
    );
  });
}

function writeLayout(path: string, layers: readonly RandomLayer[]): void {
  const blobs = join(path, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Uint8Array, mediaType: string): object => {
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
  const diffIds = layers.map(({ plain }) => digestOf(plain));
  const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } };
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: put(json(config), 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map(({ blob, mediaType }) => put(blob, mediaType)),
  };
  const descriptor = put(json(manifest), manifest.mediaType);
  const annotations = { 'org.opencontainers.image.ref.name': 'x' };
  writeFileSync(
    join(path, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...descriptor, annotations }] }),
  );
  writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

/** What bootc asks for, and two other ways. */
function waysOf(version: CfsctlVersion, seed: number): Epoch[] {
  const random = createRandom(seed + 7);
  const base = findEpoch(RULES[version]) ?? EPOCHS[0];
  const algorithm = seed % 2 === 0 ? 'sha256' : 'sha512';
  const others = Array.from({ length: 2 }, () => ({
    version: random.pick(['v0', 'v1', 'v2'] as const),
    xattrs: random.pick(['allowlist', 'keep-user'] as const),
    boot: random.chance(60),
  }));
  return [{}, ...others].map((changes) => ({ ...base, algorithm, ...changes }));
}

interface Tally {
  digests: number;
  refusals: number;
}

async function compare(seed: number, tally: Tally): Promise<void> {
  const layers = randomImage(seed);
  const layout = join(folder, `${seed}`);
  writeLayout(layout, layers);
  const tree = await attemptAsync(() => treeOf(layers.map((each) => layer(each.plain, each))));
  for (const version of Object.keys(RULES) as CfsctlVersion[]) {
    const ways = waysOf(version, seed);
    const repository = join(folder, `${seed}-${version}`);
    await cfsctl(version, repository, [
      'init',
      '--insecure',
      '--algorithm',
      `fsverity-${ways[0].algorithm}-12`,
    ]);
    const pulled = await cfsctl(version, repository, ['oci', 'pull', `oci:${layout}:x`, 'x']);
    for (const way of ways) {
      const args = ['--erofs-version', way.version.slice(1), 'oci', 'compute-id', 'x'];
      args.push('--xattrs', way.xattrs === 'keep-user' ? 'keep-user-xattrs' : 'allowlist-only');
      if (way.boot) args.push('--bootable');
      const theirs = pulled.ok ? await cfsctl(version, repository, args) : pulled;
      const ours = isBootsealError(tree) ? tree : attempt(() => digestOfTree(tree, way));
      check(ours, theirs, `seed ${seed}, cfsctl ${version} ${args.join(' ')}`, tally);
    }
    rmSync(repository, { recursive: true, force: true });
  }
  rmSync(layout, { recursive: true, force: true });
}

function check(ours: string | BootsealError, theirs: Outcome, what: string, tally: Tally): void {
  if (isBootsealError(ours)) {
    assert.ok(
      !theirs.ok,
      `${what}: refused with ${ours.code} (${ours.message}, ${ours.where}), cfsctl took it`,
    );
    tally.refusals += 1;
  } else {
    assert.ok(theirs.ok, `${what}: taken, cfsctl refused it: ${theirs.text}`);
    assert.equal(ours, theirs.text, what);
    tally.digests += 1;
  }
}

test(`${COUNT} random images from seed ${FIRST} on`, async (context) => {
  const tally: Tally = { digests: 0, refusals: 0 };
  let next = FIRST;
  const failures: unknown[] = [];
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      while (next < FIRST + COUNT) {
        const seed = next++;
        await compare(seed, tally).catch((error: unknown) => failures.push(error));
      }
    }),
  );
  context.diagnostic(`${tally.digests} digests and ${tally.refusals} refusals compared`);
  assert.deepEqual(failures, []);
  // Most images are such as both take; a handful may be of the other kind.
  if (COUNT >= 100) assert.ok(tally.digests > 4 * COUNT, `only ${tally.digests} digests compared`);
});
