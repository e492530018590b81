import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeUtf8 } from '../../src/bytes/bytes.ts';
import { compareTrees, type Attribute } from '../../src/composefs/compare.ts';
import { createCauseFinder } from '../../src/composefs/diff-causes.ts';
import { diffTrees } from '../../src/composefs/diff.ts';
import {
  cloneTree,
  countPaths,
  emptyTree,
  lookup,
  walkTree,
  type Directory,
  type Leaf,
  type Stat,
  type Tree,
  type TreeNode,
} from '../../src/composefs/tree.ts';

const STAT: Stat = { mode: 0o755, uid: 0, gid: 0, mtime: { seconds: 1000n, nanos: 0 }, xattrs: new Map() };

function text(content: string, stat: Partial<Stat> = {}): Leaf {
  return {
    kind: 'regular',
    stat: { ...STAT, ...stat },
    content: { kind: 'inline', bytes: encodeUtf8(content) },
  };
}

/** From a plain description: objects are directories. */
interface Plan {
  readonly [name: string]: Plan | Leaf;
}

function treeOf(plan: Plan): Tree {
  const tree = emptyTree();
  tree.root.stat = STAT;
  fill(tree.root, plan);
  return tree;
}

function fill(directory: Directory, plan: Plan): void {
  for (const [name, value] of Object.entries(plan)) {
    if (isLeaf(value)) {
      directory.children.set(name, value);
      continue;
    }
    const child: Directory = { kind: 'directory', stat: STAT, children: new Map() };
    directory.children.set(name, child);
    fill(child, value);
  }
}

function isLeaf(value: Plan | Leaf): value is Leaf {
  return typeof value['kind'] === 'string';
}

function differences(left: Tree, right: Tree, options = {}): string[] {
  const found: string[] = [];
  compareTrees(left, right, ({ path, attribute }) => found.push(`/${path} ${attribute}`), options);
  return found;
}

function causes(left: Tree, right: Tree): string[] {
  const finder = createCauseFinder();
  compareTrees(left, right, (difference) => finder.add(difference));
  return finder.causes().map(({ id }) => id);
}

/** A changed copy. */
function changed(tree: Tree, change: (node: TreeNode, path: string) => Partial<Stat> | undefined): Tree {
  const copy = cloneTree(tree);
  walkTree(copy, (path, node) => {
    node.stat = { ...node.stat, ...change(node, path) };
  });
  return copy;
}

test('every attribute is told apart, in the order of paths', () => {
  const link: Leaf = { kind: 'symlink', stat: STAT, target: 'a' };
  const device: Leaf = { kind: 'character', stat: STAT, rdev: 1 };
  const shared = text('same');
  const left = treeOf({
    a: text('1'),
    b: text('12'),
    c: link,
    d: device,
    e: { x: text('') },
    f: text('', { mode: 0o644, uid: 1 }),
    g: text('', { mtime: { seconds: 1000n, nanos: 5 } }),
    h: text('', { xattrs: new Map([['user.a', Uint8Array.of(1)]]) }),
    i: shared,
    j: shared,
    k: text(''),
  });
  const right = treeOf({
    a: text('2'),
    b: text('1'),
    c: { ...link, target: 'b' },
    d: { ...device, rdev: 2 },
    f: text(''),
    g: text(''),
    h: text('', { xattrs: new Map([['user.b', Uint8Array.of(1)]]) }),
    i: text('same'),
    j: text('same'),
    k: link,
    z: text(''),
  });
  const expected = [
    '/a content',
    '/b size',
    '/c target',
    '/d device',
    '/e presence',
    '/e/x presence',
    '/f mode',
    '/f owner',
    '/g mtime',
    '/h xattr user.a',
    '/h xattr user.b',
    '/j hardlink',
    '/k type',
    '/z presence',
  ];
  assert.deepEqual(differences(left, right), expected);
  assert.deepEqual(
    differences(left, right, { nanos: false }),
    expected.filter((line) => line !== '/g mtime'),
  );
  const { differences: shown, total } = diffTrees(left, right, 3);
  assert.equal(total, 12);
  assert.deepEqual(shown, [
    { path: '/a', changes: ['content'] },
    { path: '/b', changes: ['size 2 → 1'] },
    { path: '/c', changes: ['target a → b'] },
  ]);
});

test('contents that cannot be compared are taken for different', () => {
  const external = (digests: object): Leaf => ({
    kind: 'regular',
    stat: STAT,
    content: { kind: 'external', size: 100, digests },
  });
  const sha256 = external({ sha256: new Uint8Array(32) });
  const sha512 = external({ sha512: new Uint8Array(64) });
  const both = external({ sha256: new Uint8Array(32), sha512: new Uint8Array(64) });
  assert.deepEqual(differences(treeOf({ x: sha256 }), treeOf({ x: both })), []);
  assert.deepEqual(differences(treeOf({ x: sha512 }), treeOf({ x: both })), []);
  assert.deepEqual(differences(treeOf({ x: sha256 }), treeOf({ x: sha512 })), ['/x content']);
});

const name = fc.string({ minLength: 1, maxLength: 2, unit: fc.constantFrom('a', 'b', '\xff') });
const plan: fc.Arbitrary<Plan> = fc.letrec<{ plan: Plan; value: Plan | Leaf }>((tie) => ({
  plan: fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('', 'x', 'y').map((content) => text(content)),
    tie('plan'),
  ),
})).plan;

test('nothing differs from itself, and what differs one way differs the other way', () => {
  fc.assert(
    fc.property(plan, plan, (a, b) => {
      const [left, right] = [treeOf(a), treeOf(b)];
      assert.deepEqual(differences(left, cloneTree(left)), []);
      assert.deepEqual(differences(left, right), differences(right, left));
      const paths = compareTrees(left, right, () => undefined);
      const union = new Set<string>();
      walkTree(left, (path) => union.add(path));
      walkTree(right, (path) => union.add(path));
      assert.equal(paths, union.size);
      assert.ok(paths >= countPaths(left));
    }),
  );
});

test('a tree of a hundred thousand levels is compared', () => {
  const deep = (): Tree => {
    const tree = treeOf({});
    let directory = tree.root;
    for (let level = 0; level < 100_000; level++) {
      const child: Directory = { kind: 'directory', stat: STAT, children: new Map() };
      directory.children.set('', child);
      directory = child;
    }
    return tree;
  };
  assert.deepEqual(differences(deep(), deep()), []);
});

test('likely causes', () => {
  const capability = new Map([['security.capability', Uint8Array.of(1)]]);
  const plain = treeOf({
    usr: {
      bin: { ping: text('x'.repeat(20), { xattrs: capability }), sh: text('sh', { mode: 0o4755 }) },
      lib: { a: text('a'), b: text('b') },
    },
    dev: { null: { kind: 'character', stat: STAT, rdev: 259 } },
  });
  const base = changed(plain, (_, path) => ({ mtime: { seconds: 1000n + BigInt(path.length), nanos: 0 } }));
  const cases: readonly (readonly [id: string, right: Tree])[] = [
    ['nanoseconds-right', changed(base, ({ stat }) => ({ mtime: { ...stat.mtime, nanos: 5 } }))],
    [
      'directory-times',
      changed(base, ({ kind }, path) =>
        kind === 'directory' ? { mtime: { seconds: 2000n + BigInt(path.length), nanos: 0 } } : undefined,
      ),
    ],
    ['clamped-right', changed(base, () => ({ mtime: { seconds: 1n, nanos: 0 } }))],
    ['times', changed(base, (_, path) => ({ mtime: { seconds: 2000n + BigInt(path.length), nanos: 0 } }))],
    ['owners-right', changed(base, () => ({ uid: 1000, gid: 1000 }))],
    ['unmapped-right', changed(base, () => ({ uid: 65_534, gid: 65_534 }))],
    ['umask-right', changed(base, ({ stat }) => ({ mode: stat.mode & ~0o77 }))],
    ['special-bits-right', changed(base, ({ stat }) => ({ mode: stat.mode & 0o777 }))],
    ['capabilities-right', changed(base, () => ({ xattrs: new Map() }))],
    [
      'labels',
      changed(base, ({ stat }) => ({
        xattrs: new Map([...stat.xattrs, ['security.selinux', Uint8Array.of(1)]]),
      })),
    ],
  ];
  for (const [id, right] of cases) assert.equal(causes(base, right)[0], id);

  const without = cloneTree(base);
  (lookup(without, 'dev') as Directory).children.clear();
  assert.deepEqual(causes(base, without), ['devices-right']);
  const whiteouts = cloneTree(base);
  whiteouts.root.children.set('.wh.gone', text(''));
  assert.deepEqual(causes(base, whiteouts), ['whiteouts-right']);
  const ends = cloneTree(base);
  (lookup(ends, 'usr/lib') as Directory).children.set('a', text('a\n', lookup(base, 'usr/lib/a')?.stat));
  assert.deepEqual(causes(base, ends), ['final-newline']);
  const shared = text('a');
  const linked = treeOf({ a: shared, b: shared });
  assert.deepEqual(causes(linked, treeOf({ a: text('a'), b: text('a') })), ['hardlinks-right']);
  const symlink = (target: string): Tree => treeOf({ l: { kind: 'symlink', stat: STAT, target } });
  assert.deepEqual(causes(symlink('/usr/lib'), symlink('/mnt/usr/lib')), ['prefixed-right']);
  assert.deepEqual(causes(symlink('a'), treeOf({ l: text('a') })), ['followed-right']);
});

test('each attribute has words', () => {
  const attributes: Attribute[] = [];
  const finder = createCauseFinder();
  compareTrees(treeOf({ a: text('a') }), treeOf({ a: text('b', { mode: 0o700, gid: 4 }) }), (difference) => {
    attributes.push(difference.attribute);
    finder.add(difference);
  });
  assert.deepEqual(attributes, ['content', 'mode', 'owner']);
  assert.equal(finder.causes().length, 3);
});
