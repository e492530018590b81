/**
 * Repositories in both directions with cfsctl: ours passes its checks and gives its digests, its own is read, checked
 * and collected by us; what its checks do not see, ours do; and a kill at any point leaves what both accept.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runFor } from '../support/kill.ts';
import { readImage, sha256 } from '../support/layout.ts';
import { cfsctlPath, peer, peerOk, type CfsctlVersion, type PeerResult } from '../support/peers.ts';
import { vectorPath } from '../support/project.ts';
import { bootseal, bootsealOk } from '../support/run-cli.ts';
import { sampleName } from '../support/sample.ts';

const VERSIONS: readonly CfsctlVersion[] = ['0.9.0', '0.9.4'];
const IMAGES = ['random.1', 'random.2', 'boot.1'];

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-repo-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const vector = (tag: string): string => `oci:${vectorPath('oci-digest', 'oci')}:${tag}`;

async function makeRepo(name: string, hash: 'sha256' | 'sha512', images: readonly string[]): Promise<string> {
  const repo = join(folder, name);
  await bootsealOk(['composefs', 'repo', 'init', '--insecure', '--hash', hash, repo]);
  for (const tag of images) await importInto(repo, vector(tag), tag);
  return repo;
}

async function importInto(
  repo: string,
  image: string,
  tag: string,
): Promise<{ image: string; boot: string }> {
  const args = ['--insecure-policy', '--json', '--tag', tag, repo, image];
  return JSON.parse((await bootsealOk(['composefs', 'repo', 'import', ...args])).stdout) as never;
}

function cfsctl(version: CfsctlVersion, repo: string, ...args: readonly string[]): PeerResult {
  return peer(cfsctlPath(version), ['--repo', repo, ...args], { timeout: 60_000 });
}

function cfsctlOk(version: CfsctlVersion, repo: string, ...args: readonly string[]): string {
  return peerOk(cfsctlPath(version), ['--repo', repo, ...args], { timeout: 60_000 }).stdout.trim();
}

interface Fsck {
  readonly ok: boolean;
  readonly problems: readonly { readonly code: string; readonly path: string }[];
}

async function fsck(repo: string): Promise<Fsck> {
  const { status, stdout } = await bootseal(['composefs', 'repo', 'fsck', '--json', repo]);
  assert.ok(status === 0 || status === 1, stdout);
  return JSON.parse(stdout) as Fsck;
}

describe('ours, read by cfsctl', () => {
  for (const hash of ['sha256', 'sha512'] as const) {
    it(`${hash}: passes fsck, gives the digests, and every layer back`, async () => {
      const repo = await makeRepo(`ours-${hash}`, hash, IMAGES);
      const sample = await importInto(repo, sampleName(), 'sample');
      for (const version of VERSIONS) {
        assert.match(cfsctlOk(version, repo, 'fsck'), /status: ok/);
        assert.match(cfsctlOk(version, repo, 'oci', 'fsck'), /oci images: 4\/4 ok/);
        assert.equal(cfsctlOk(version, repo, 'oci', 'compute-id', 'sample'), sample.image);
        assert.equal(cfsctlOk('0.9.0', repo, 'oci', 'compute-id', '--bootable', 'sample'), sample.boot);
      }
      for (const name of readdirSync(join(repo, 'streams')).filter((entry) =>
        entry.startsWith('oci-layer-'),
      )) {
        const { bytes } = peerOk(cfsctlPath(), ['--repo', repo, 'cat', name]);
        assert.equal(`oci-layer-sha256:${createHash('sha256').update(bytes).digest('hex')}`, name);
      }
      // Its own collection keeps all that has a name.
      const before = readdirSync(join(repo, 'streams')).length;
      cfsctlOk('0.9.4', repo, 'gc');
      assert.equal(readdirSync(join(repo, 'streams')).length, before);
      assert.equal((await fsck(repo)).ok, true);
    });
  }
});

describe('cfsctl’s, read by us', () => {
  for (const version of VERSIONS) {
    it(`${version}: listed, checked and collected`, async () => {
      const repo = join(folder, `theirs-${version}`);
      cfsctlOk(version, repo, 'init', '--insecure', '--algorithm', 'fsverity-sha256-12');
      for (const tag of IMAGES) cfsctlOk(version, repo, 'oci', 'pull', vector(tag), tag);
      assert.deepEqual(await fsck(repo).then(({ problems }) => problems), []);
      const list = JSON.parse((await bootsealOk(['composefs', 'repo', 'list', '--json', repo])).stdout) as {
        images: { tag: string; images: Record<string, string> }[];
      };
      for (const { tag, images } of list.images) {
        assert.equal(images['composefs.image.v1'], cfsctlOk(version, repo, 'oci', 'compute-id', tag));
      }
      assert.deepEqual(list.images.map(({ tag }) => tag).sort(), [...IMAGES].sort());
      // What it would collect, we collect: two copies, one each.
      cfsctlOk(version, repo, 'oci', 'untag', 'random.2');
      const copy = `${repo}-copy`;
      cpSync(repo, copy, { recursive: true, verbatimSymlinks: true });
      await bootsealOk(['composefs', 'repo', 'gc', repo]);
      cfsctlOk(version, copy, 'gc');
      assert.deepEqual(allNames(repo), allNames(copy));
      assert.match(cfsctlOk(version, repo, 'oci', 'fsck'), /oci images: 2\/2 ok/);
    });
  }

  it('cfs-claimed-layer: a layer filed under the diffID that another image claims is found', async () => {
    const repo = join(folder, 'claimed');
    const hostile = join(folder, 'hostile');
    cpSync(vectorPath('oci-digest', 'oci'), hostile, { recursive: true });
    // One layer each; the hostile image claims that its own has the diffID of the honest one's.
    lie(hostile, 'boot.3', readImage(hostile, 'boot.1').config.rootfs.diff_ids);
    cfsctlOk('0.9.4', repo, 'init', '--insecure', '--algorithm', 'fsverity-sha256-12');
    cfsctlOk('0.9.4', repo, 'oci', 'pull', `oci:${hostile}:boot.3`, 'hostile');
    assert.match(cfsctlOk('0.9.4', repo, 'fsck'), /status: ok/);
    const { ok, problems } = await fsck(repo);
    assert.equal(ok, false);
    assert.ok(problems.some(({ code }) => code === 'repo/misfiled'));
    // We refuse such an image, and take the honest one into the same repository, for what it is.
    const refused = await bootseal([
      'composefs',
      'repo',
      'import',
      '--insecure-policy',
      repo,
      `oci:${hostile}:boot.3`,
    ]);
    assert.match(refused.stderr, /diffid-mismatch/);
    const honestOne = await importInto(repo, vector('boot.1'), 'honest');
    const clean = await makeRepo('clean', 'sha256', ['boot.1']);
    assert.equal(honestOne.image, cfsctlOk('0.9.4', clean, 'oci', 'compute-id', 'boot.1'));
    assert.equal(cfsctlOk('0.9.4', repo, 'oci', 'compute-id', 'honest'), honestOne.image);
  });
});

describe('damage', () => {
  it('cfs-config and others: whatever is changed, cut or taken away is named', async () => {
    const good = await makeRepo('good', 'sha256', ['random.1']);
    const object = (link: string): string => join(good, 'streams', readlinkSync(join(good, 'streams', link)));
    const streams = readdirSync(join(good, 'streams'));
    const config = streams.find((name) => name.startsWith('oci-config-'))!;
    const layer = streams.find((name) => name.startsWith('oci-layer-'))!;
    const manifest = streams.find((name) => name.startsWith('oci-manifest-'))!;
    const cases: [what: string, code: string, damage: (repo: string) => void][] = [
      ['a byte of a stream', 'repo/bad-object', (repo) => flip(inside(repo, object(config)))],
      ['a stream cut short', 'repo/bad-object', (repo) => cut(inside(repo, object(layer)))],
      ['an object missing', 'repo/missing-object', (repo) => rmSync(inside(repo, object(layer)))],
      [
        'a name that is no object',
        'repo/bad-name',
        (repo) => writeFileSync(join(repo, 'objects/00', 'x'), ''),
      ],
      ['a tag that leads nowhere', 'repo/bad-link', (repo) => rmSync(join(repo, 'streams', manifest))],
    ];
    for (const [what, code, damage] of cases) {
      const repo = join(folder, 'damaged');
      cpSync(good, repo, { recursive: true, verbatimSymlinks: true });
      peerOk('mkdir', ['-p', join(repo, 'objects/00')]);
      damage(repo);
      const { problems } = await fsck(repo);
      assert.ok(
        problems.some((problem) => problem.code === code),
        `${what}: ${JSON.stringify(problems)}`,
      );
      rmSync(repo, { recursive: true });
    }
    function inside(repo: string, path: string): string {
      return path.replace(good, repo);
    }
  });

  it('a kill at any point leaves a repository that both accept, and the next import succeeds', async () => {
    const repo = await makeRepo('killed', 'sha256', ['boot.1']);
    const args = ['composefs', 'repo', 'import', '--insecure-policy', '--tag', 'sample', repo, sampleName()];
    const whole = await runFor(args, 120_000);
    assert.ok(whole !== undefined);
    for (const share of [0.2, 0.4, 0.6, 0.8, 0.95]) {
      const again = await makeRepo(`killed-${share}`, 'sha256', ['boot.1']);
      await runFor([...args.slice(0, -2), again, sampleName()], Math.round(whole * share));
      assert.deepEqual((await fsck(again)).problems, [], `after ${share}`);
      assert.match(cfsctlOk('0.9.4', again, 'fsck'), /status: ok/);
      const { image } = await importInto(again, sampleName(), 'sample');
      await bootsealOk(['composefs', 'repo', 'gc', again]);
      assert.deepEqual((await fsck(again)).problems, []);
      assert.equal(cfsctlOk('0.9.4', again, 'oci', 'compute-id', 'sample'), image);
      // Nothing of the killed one remains.
      assert.deepEqual(readdirSync(again).sort(), ['images', 'meta.json', 'objects', 'streams']);
      rmSync(again, { recursive: true });
    }
  });

  it('collection waits for whoever writes, and cfsctl for us', async () => {
    const repo = await makeRepo('locked', 'sha256', ['boot.1']);
    const { lockRepo } = await import('../../src/stores/composefs-repo/lock.ts');
    const lock = await lockRepo(repo, 'shared');
    const blocked = cfsctlWithin(repo, 2);
    await lock.release();
    assert.notEqual(blocked.status, 0);
    assert.equal(cfsctl('0.9.4', repo, 'gc').status, 0);
  });
});

/** Ended by force while it waits. */
function cfsctlWithin(repo: string, seconds: number): PeerResult {
  return peer('timeout', ['-s', 'KILL', String(seconds), cfsctlPath('0.9.4'), '--repo', repo, 'gc']);
}

function allNames(repo: string): string[] {
  return readdirSync(repo, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(repo.length))
    .sort();
}

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(path, bytes);
}

function cut(path: string): void {
  writeFileSync(path, readFileSync(path).subarray(0, -3));
}

/** Changes only what the configuration says of its layers. */
function lie(layout: string, tag: string, diffIds: readonly string[]): void {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string; size: number; annotations?: Record<string, string> }[];
  };
  const blob = (digest: string): string => join(layout, 'blobs/sha256', digest.slice(7));
  const entry = index.manifests.find(
    ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag,
  )!;
  const manifest = JSON.parse(readFileSync(blob(entry.digest), 'utf8')) as {
    config: { digest: string; size: number };
  };
  const config = JSON.parse(readFileSync(blob(manifest.config.digest), 'utf8')) as {
    rootfs: { diff_ids: readonly string[] };
  };
  config.rootfs.diff_ids = diffIds;
  const write = (value: unknown): { digest: string; size: number } => {
    const bytes = Buffer.from(JSON.stringify(value));
    writeFileSync(blob(sha256(bytes)), bytes);
    return { digest: sha256(bytes), size: bytes.length };
  };
  Object.assign(manifest.config, write(config));
  Object.assign(entry, write(manifest));
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
}
