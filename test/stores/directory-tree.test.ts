/** Directories that change, lead elsewhere or lie while they are read. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { treeFromDirectory } from '../../src/composefs/from-directory.ts';
import { contentOf, lookup } from '../../src/composefs/tree.ts';
import { isBootsealError, type BootsealError } from '../../src/errors.ts';
import { verityDigest } from '../../src/formats/fsverity/digest.ts';
import { inlineHashPool } from '../../src/formats/fsverity/inline-hash-pool.ts';
import { openDirectoryTree } from '../../src/stores/directory-tree/open.ts';
import type { DirectorySource } from '../../src/stores/directory-tree/types.ts';
import { readDirectory } from '../support/directories.ts';

let root: string;
let outside: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bootseal-tree-'));
  outside = mkdtempSync(join(tmpdir(), 'bootseal-outside-'));
});
afterEach(() => {
  for (const folder of [root, outside]) rmSync(folder, { recursive: true, force: true });
});

function refusedWith(code: string, where?: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isBootsealError(error), String(error));
    assert.equal(error.code, code, error.message);
    if (where !== undefined) assert.equal(error.where, where);
    return true;
  };
}

/** Reads the tree with something happening between the two walks. */
async function readWhile(change: () => void): Promise<unknown> {
  const source = openDirectoryTree(root);
  const changing: DirectorySource = {
    ...source,
    async xattrs(onFile) {
      await source.xattrs(onFile);
      change();
    },
  };
  try {
    return await treeFromDirectory(changing, {
      algorithms: ['sha256'],
      openHashPool: () => inlineHashPool(['sha256']),
    });
  } finally {
    source.close();
  }
}

test('every type, time before 1970, fractions, hardlinks, contents inline and not', async () => {
  const big = Buffer.alloc(10_000, 7);
  writeFileSync(join(root, 'big'), big);
  writeFileSync(join(root, 'small'), 'small');
  linkSync(join(root, 'small'), join(root, 'other'));
  symlinkSync('/somewhere/else', join(root, 'link'));
  linkSync(join(root, 'link'), join(root, 'link2'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  mkdirSync(join(root, 'dir'));
  writeFileSync(Buffer.from(`${root}/dir/\xff\n`, 'latin1'), '');
  chmodSync(join(root, 'dir'), 0o3705);
  execFileSync('touch', ['-d', '@-1.25', join(root, 'big')]);
  execFileSync('touch', ['-d', '@4294967296.000000001', join(root, 'small')]);
  execFileSync('setfattr', ['-n', 'user.a', '-v', '0x00ff', join(root, 'dir')]);

  const tree = await readDirectory(root, { algorithms: ['sha256', 'sha512'] });
  const file = lookup(tree, 'big');
  assert.deepEqual(file?.stat.mtime, { seconds: -2n, nanos: 750_000_000 });
  assert.ok(file?.kind === 'regular' && file.content.kind === 'external');
  assert.equal(file.content.size, big.length);
  for (const algorithm of ['sha256', 'sha512'] as const) {
    assert.deepEqual(
      Buffer.from(file.content.digests[algorithm] ?? []),
      Buffer.from(verityDigest(big, algorithm)),
    );
  }
  assert.deepEqual(lookup(tree, 'small')?.stat.mtime, { seconds: 4_294_967_296n, nanos: 1 });
  assert.equal(lookup(tree, 'small'), lookup(tree, 'other'));
  assert.equal(lookup(tree, 'link'), lookup(tree, 'link2'));
  assert.equal(Buffer.from(contentOf(lookup(tree, 'small'))!).toString(), 'small');
  const link = lookup(tree, 'link');
  assert.equal(link?.kind === 'symlink' && link.target, '/somewhere/else');
  assert.equal(lookup(tree, 'fifo')?.kind, 'fifo');
  const dir = lookup(tree, 'dir');
  assert.equal(dir?.stat.mode, 0o3705);
  assert.deepEqual([...dir.stat.xattrs], [['user.a', Uint8Array.of(0, 255)]]);
  assert.ok(dir?.kind === 'directory' && dir.children.has('\xff\n'));
});

test('tree-socket: a socket is an entry, and nobody connects to it', async () => {
  const server = createServer(() => assert.fail('connected'));
  await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve));
  try {
    assert.equal(lookup(await readDirectory(root), 'socket')?.kind, 'socket');
  } finally {
    server.close();
  }
});

test('tree-link-out: symbolic links are entries, wherever they lead', async () => {
  writeFileSync(join(outside, 'bait'), 'bait'.repeat(100));
  symlinkSync(outside, join(root, 'absolute'));
  symlinkSync('../../../../../../../..', join(root, 'up'));
  symlinkSync('.', join(root, 'loop'));
  const tree = await readDirectory(root);
  assert.deepEqual(
    [...tree.root.children.values()].map(({ kind }) => kind),
    ['symlink', 'symlink', 'symlink'],
  );
});

test('tree-swap-directory: a directory that becomes a link out of the tree is not gone through', async () => {
  writeFileSync(join(outside, 'bait'), 'bait');
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd', 'x'), 'x');
  await assert.rejects(
    readWhile(() => {
      renameSync(join(root, 'd'), join(root, 'e'));
      symlinkSync(outside, join(root, 'd'));
    }),
    refusedWith('tree/changed'),
  );
});

test('tree-swap-file: a file that becomes a link, a FIFO or another file is not read', async () => {
  for (const swap of [
    (path: string) => symlinkSync(join(outside, 'bait'), path),
    (path: string) => execFileSync('mkfifo', [path]),
    (path: string) => writeFileSync(path, 'y'.repeat(100)),
  ]) {
    writeFileSync(join(outside, 'bait'), 'bait');
    writeFileSync(join(root, 'x'), 'x'.repeat(100));
    await assert.rejects(
      readWhile(() => {
        rmSync(join(root, 'x'));
        swap(join(root, 'x'));
      }),
      refusedWith('tree/changed'),
    );
    rmSync(join(root, 'x'));
  }
});

test('tree-swap-open: what is swapped between lstat and open is not read either', () => {
  const path = join(root, 'x');
  for (const swap of [
    () => symlinkSync(join(outside, 'bait'), path),
    () => execFileSync('mkfifo', [path]),
    () => writeFileSync(path, 'y'.repeat(100)),
  ]) {
    writeFileSync(join(outside, 'bait'), 'bait');
    writeFileSync(path, 'x'.repeat(100));
    const source = openDirectoryTree(root);
    try {
      source.survey();
      for (const entry of source.walk()) {
        if (entry.path !== 'x') continue;
        renameSync(path, join(outside, 'was-x'));
        swap();
        assert.throws(() => [...entry.content!()], refusedWith('tree/changed', '/x'));
      }
    } finally {
      source.close();
    }
    rmSync(path);
  }
});

test('tree-grow: a file that grows, shrinks or is written to while it is read', () => {
  const path = join(root, 'x');
  const cases: readonly (() => void)[] = [
    () => appendFileSync(path, 'more'),
    () => truncateSync(path, 200_000),
    () => {
      writeFileSync(path, Buffer.alloc(300_000, 1), { flag: 'r+' });
      utimesSync(path, 1, 1);
    },
  ];
  for (const change of cases) {
    writeFileSync(path, Buffer.alloc(300_000));
    const source = openDirectoryTree(root);
    try {
      source.survey();
      const read = (): void => {
        for (const entry of source.walk()) {
          let pieces = 0;
          for (const piece of entry.content?.() ?? []) {
            assert.ok(piece.length <= 128 * 1024);
            if (pieces++ === 0) change();
          }
        }
      };
      assert.throws(read, refusedWith('tree/changed', '/x'));
    } finally {
      source.close();
    }
    rmSync(path);
  }
});

test('tree-xattr-race: an attribute that is set while the tree is read', async () => {
  writeFileSync(join(root, 'x'), 'x');
  await assert.rejects(
    readWhile(() => execFileSync('setfattr', ['-n', 'user.a', '-v', '1', join(root, 'x')])),
    refusedWith('tree/changed', '/x'),
  );
});

test('tree-entries-race: files that come and go', async () => {
  writeFileSync(join(root, 'x'), 'x');
  await assert.rejects(
    readWhile(() => writeFileSync(join(root, 'y'), 'y')),
    refusedWith('tree/changed'),
  );
  await assert.rejects(
    readWhile(() => rmSync(join(root, 'y'))),
    refusedWith('tree/changed'),
  );
});

test('tree-fifo: a FIFO does not block', { timeout: 10_000 }, async () => {
  execFileSync('mkfifo', [join(root, 'fifo')]);
  assert.equal(lookup(await readDirectory(root), 'fifo')?.kind, 'fifo');
});

test('tree-size-lies: files of /proc hold more than their size, and are refused', async () => {
  await assert.rejects(readDirectory('/proc/self/net'), refusedWith('tree/changed'));
});

test('tree-unreadable: all that may not be read is named, and nothing is digested', () => {
  for (const name of ['a', 'b']) {
    writeFileSync(join(root, name), name);
    chmodSync(join(root, name), 0);
  }
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd', 'x'), 'x');
  chmodSync(join(root, 'd'), 0o100);
  const error = asNobody(() => {
    const source = openDirectoryTree(root);
    try {
      return source.survey();
    } finally {
      source.close();
    }
  });
  refusedWith('tree/unreadable')(error);
  assert.match((error as BootsealError).message, /read \/d, \/a, \/b$|read \/a, \/b, \/d$/);
});

/** Root may read everything, so it becomes somebody else for a moment. */
function asNobody(action: () => unknown): unknown {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) {
    execFileSync('chown', ['-R', '65534:65534', root]);
    process.seteuid?.(65_534);
  }
  try {
    return action();
  } catch (error) {
    return error;
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

test('tree-deep: as deep as paths go, and a clear refusal beyond', { timeout: 60_000 }, async () => {
  const deepen = (from: string, levels: number): void => {
    const script =
      'import os,sys\nos.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[2])):\n os.mkdir("d"); os.chdir("d")';
    execFileSync('python3', ['-c', script, join(root, from), String(levels)]);
  };
  const descriptors = readdirSync('/proc/self/fd').length;
  const deepest = Array.from({ length: 1000 }, () => 'd').join('/');
  deepen('', 1000);
  assert.equal(lookup(await readDirectory(root), deepest)?.kind, 'directory');
  deepen(deepest, 4000);
  await assert.rejects(readDirectory(root), refusedWith('tree/path-too-long'));
  execFileSync('rm', ['-r', join(root, 'd')]);
  assert.equal(readdirSync('/proc/self/fd').length, descriptors, 'descriptors stayed open');
});

test('tree-sparse: a sparse file counts in full, and too much of it is refused before it is read', async () => {
  const path = join(root, 'sparse');
  execFileSync('truncate', ['-s', '1T', path]);
  await assert.rejects(readDirectory(root), refusedWith('tree/too-large'));
  execFileSync('truncate', ['-s', '1M', path]);
  const file = lookup(await readDirectory(root, { algorithms: ['sha256'] }), 'sparse');
  assert.ok(file?.kind === 'regular' && file.content.kind === 'external');
  const zeros = verityDigest(new Uint8Array(2 ** 20), 'sha256');
  assert.deepEqual(Buffer.from(file.content.digests.sha256 ?? []), Buffer.from(zeros));
});

test('tree-limits: entries and metadata have limits', async () => {
  for (let index = 0; index < 50; index++) writeFileSync(join(root, `file-${index}`), '');
  await assert.rejects(
    readDirectory(root, { limits: { entries: 50 } }),
    refusedWith('tree/too-many-entries'),
  );
  await assert.rejects(
    readDirectory(root, { limits: { metadataBytes: 100 } }),
    refusedWith('tree/too-much-metadata'),
  );
});

test('tree-memory: contents are not kept', async () => {
  for (let index = 0; index < 4; index++) execFileSync('truncate', ['-s', '64M', join(root, `${index}`)]);
  await readDirectory(root);
  const before = process.memoryUsage.rss();
  let highest = 0;
  await readDirectory(root, { onProgress: () => (highest = Math.max(highest, process.memoryUsage.rss())) });
  assert.ok(highest > 0);
  assert.ok(highest - before < 64 * 2 ** 20, `${(highest - before) / 2 ** 20} MiB`);
});

test('the running system, files and missing directories are refused', () => {
  assert.throws(() => openDirectoryTree('/'), refusedWith('tree/live-root'));
  writeFileSync(join(root, 'x'), 'x');
  assert.throws(() => openDirectoryTree(join(root, 'x')), refusedWith('tree/not-a-directory'));
  assert.throws(() => openDirectoryTree(join(root, 'y')), refusedWith('file/cannot-read'));
});

test('without getfattr nothing is digested', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = outside;
  try {
    await assert.rejects(readDirectory(root), refusedWith('tree/no-getfattr'));
  } finally {
    process.env['PATH'] = path;
  }
});
