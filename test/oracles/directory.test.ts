/**
 * A directory has the digest of the layers that it was unpacked from, or `digest diff` says why not; and cfsctl says
 * the same of it. Only root can unpack an image.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, lutimesSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { cfsctlPath, peerOk } from '../support/peers.ts';
import { chooseSeed, makeRandom } from '../support/random.ts';
import { bootseal, bootsealOk } from '../support/run-cli.ts';
import { SAMPLE_TAG, sampleLayout, sampleName } from '../support/sample.ts';
import { unpackImage } from '../support/unpack.ts';

let folder: string;

before(async () => {
  assert.equal(process.geteuid?.(), 0, 'run as root: only root can unpack an image with its owners');
  folder = await mkdtemp(join(tmpdir(), 'bootseal-oracle-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function digest(...args: readonly string[]): Promise<string> {
  const { stdout } = await bootsealOk(['digest', ...args]);
  return stdout.trim();
}

interface Diff {
  readonly differingPaths: number;
  readonly ignoredPaths: number;
  readonly differences: readonly {
    readonly path: string;
    readonly attribute: string;
    readonly epochs: readonly string[];
  }[];
  readonly causes: readonly { readonly id: string }[];
}

async function diff(left: string, right: string): Promise<Diff> {
  const { stdout, status } = await bootseal(['digest', 'diff', '--json', left, right]);
  assert.equal(status, 1);
  return JSON.parse(stdout) as Diff;
}

function unpack(name: string, options: Parameters<typeof unpackImage>[3] = {}): string {
  const path = join(folder, name);
  mkdirSync(path);
  unpackImage(sampleLayout(), SAMPLE_TAG, path, options);
  return path;
}

function cfsctl(...args: readonly string[]): string {
  return peerOk(cfsctlPath(), args).stdout.trim();
}

describe('the sample image, unpacked', () => {
  let root: string;
  before(() => {
    root = unpack('root');
  });

  it('has the digest of its layers by every rule', async () => {
    for (const options of [
      [],
      ['--plain'],
      ['--epoch', 'next'],
      ['--epoch', '1.16.0'],
      ['--hash', 'sha256'],
    ]) {
      assert.equal(await digest(...options, root), await digest(...options, sampleName()), options.join(' '));
    }
  });

  it('has the digest that cfsctl gives it', async () => {
    const repository = join(folder, 'repo');
    cfsctl('--repo', repository, 'init', '--insecure', '--algorithm', 'fsverity-sha512-12');
    for (const version of ['0', '1', '2']) {
      const options = ['--repo', repository, '--erofs-version', version];
      const erofs = ['--erofs', `v${version}`];
      assert.equal(await digest(...erofs, root), cfsctl(...options, 'compute-id', '--bootable', root));
      assert.equal(await digest(...erofs, '--plain', root), cfsctl(...options, 'compute-id', root));
    }
    assert.match(
      cfsctl('--repo', repository, 'create-image', '--bootable', root),
      new RegExp(await digest(root)),
    );
  });

  it('differs where tar left the time of unpacking, and diff says so', async () => {
    const naive = unpack('naive', { restoreTimes: false });
    assert.notEqual(await digest(naive), await digest(root));
    const found = await diff(sampleName(), naive);
    assert.deepEqual(
      found.differences.filter(({ attribute, path }) => attribute !== 'mtime' && path !== '/'),
      [],
    );
    assert.equal(found.causes[0]?.id, 'directory-times');
  });

  it('differs where owners, attributes and modes were lost, and diff says so', async () => {
    const lost = unpack('lost');
    execFileSync('chown', ['-hR', '1000:1000', lost]);
    execFileSync('chmod', ['-R', 'go-rwx', lost]);
    const found = await diff(sampleName(), lost);
    const causes = found.causes.map(({ id }) => id);
    assert.ok(causes.includes('owners-right'), causes.join());
    assert.ok(causes.includes('umask-right'), causes.join());
  });
});

describe('random directories', () => {
  it('have the digest that cfsctl gives them', async () => {
    const seed = chooseSeed();
    console.log(`seed ${seed} (BOOTSEAL_SEED)`);
    const repository = join(folder, 'random-repo');
    cfsctl('--repo', repository, 'init', '--insecure', '--algorithm', 'fsverity-sha512-12');
    for (let round = 0; round < 10; round++) {
      const root = mkdtempSync(join(folder, 'random-'));
      fill(root, makeRandom(seed + round).int);
      for (const xattrs of ['allowlist', 'keep-user'] as const) {
        const theirs = xattrs === 'allowlist' ? 'allowlist-only' : 'keep-user-xattrs';
        const what = `seed ${seed}, round ${round}, ${xattrs}`;
        for (const [ours, options] of [
          [['--plain'], []],
          [[], ['--bootable']],
        ] as const) {
          assert.equal(
            await digest(...ours, '--xattrs', xattrs, root),
            cfsctl('--repo', repository, 'compute-id', ...options, '--xattrs', theirs, root),
            what,
          );
        }
      }
      rmSync(root, { recursive: true });
    }
  });
});

/** Every type that a directory can hold, with names of any bytes, hardlinks, attributes and fractions of seconds. */
function fill(root: string, random: (n: number) => number): void {
  for (const name of ['usr', 'boot', 'sysroot', 'run']) mkdirSync(join(root, name));
  const folders = ['usr', 'boot', 'run'];
  const files: string[] = [];
  const all: string[] = ['usr', 'boot', 'sysroot', 'run'];
  const count = 20 + random(60);
  for (let index = 0; index < count; index++) {
    const path = `${folders[random(folders.length)]}/${'nämé-\u0001x'.slice(0, 1 + random(7))}${index}`;
    const place = join(root, path);
    const kind = random(9);
    if (kind === 0) {
      mkdirSync(place);
      folders.push(path);
    } else if (kind === 1) symlinkSync('x'.repeat(1 + random(300)), place);
    else if (kind === 2) execFileSync('mkfifo', [place]);
    else if (kind === 3) {
      const [type, major, minor] = [random(2) === 0 ? 'c' : 'b', 1 + random(4000), random(2 ** 20)];
      execFileSync('mknod', [place, type, String(major), String(minor)]);
    } else if (kind === 4) {
      const script =
        'import socket,sys,os\nos.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind(sys.argv[2])';
      execFileSync('python3', ['-c', script, join(place, '..'), path.slice(path.lastIndexOf('/') + 1)]);
    } else if (kind === 5 && files.length > 0) linkSync(join(root, files[random(files.length)]), place);
    else {
      writeFileSync(place, Buffer.alloc(random(3) === 0 ? random(100) : random(200_000), index));
      files.push(path);
    }
    if (kind >= 6 && random(2) === 0) {
      execFileSync('setfattr', ['-n', `user.n${random(3)}`, '-v', `0x${'ab'.repeat(random(80))}`, place]);
      if (random(2) === 0)
        execFileSync('setfattr', [
          '-n',
          'security.capability',
          '-v',
          '0x0100000200200000000000000000000000000000',
          place,
        ]);
    }
    if (kind !== 1) execFileSync('chmod', [random(0o10000).toString(8), place]);
    execFileSync('chown', ['-h', `${random(70_000)}:${random(70_000)}`, place]);
    all.push(path);
  }
  for (const path of all.toReversed()) {
    const seconds = random(2_000_000_000) - (random(10) === 0 ? 2_000_000_000 : 0);
    if (random(2) === 0) lutimesSync(join(root, path), seconds, seconds);
    else
      execFileSync('touch', [
        '-h',
        '-d',
        `@${seconds}.${String(random(10 ** 9)).padStart(9, '0')}`,
        join(root, path),
      ]);
  }
}
