/** Damaged and hostile images: each is refused, with the reason and the offset, before a kernel sees it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { BootsealError } from '../../../src/errors.ts';
import type { ErofsInode, ErofsVersion } from '../../../src/formats/erofs/format.ts';
import { readErofs } from '../../../src/formats/erofs/reader.ts';
import type { ErofsProblem } from '../../../src/formats/erofs/reading.ts';
import { writeErofs } from '../../../src/formats/erofs/writer.ts';

const COMMON = { mode: 0o755, uid: 0, gid: 0, seconds: 5n, nanos: 0, nlink: 1, xattrs: [] };
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** A root with a directory `d` holding `deep`, a file `f`, a link `l`, a device `n`, and an external file `x`. */
function sample(version: ErofsVersion = 1): Buffer {
  const shared = [{ name: 'security.selinux', value: bytes('label') }];
  const inodes: ErofsInode[] = [
    {
      ...COMMON,
      type: 'directory',
      xattrs: shared,
      body: {
        kind: 'directory',
        parent: 0,
        entries: [
          { name: 'd', inode: 1 },
          { name: 'f', inode: 2 },
          { name: 'l', inode: 3 },
          { name: 'n', inode: 4 },
          { name: 'x', inode: 5 },
        ],
      },
    },
    {
      ...COMMON,
      type: 'directory',
      seconds: 9n,
      body: { kind: 'directory', parent: 0, entries: [{ name: 'deep', inode: 6 }] },
    },
    {
      ...COMMON,
      type: 'regular',
      xattrs: [...shared, { name: 'user.own', value: bytes('v') }],
      body: { kind: 'data', bytes: bytes('hello') },
    },
    { ...COMMON, type: 'symlink', body: { kind: 'symlink', target: bytes('target') } },
    { ...COMMON, type: 'block', body: { kind: 'device', rdev: 7 } },
    { ...COMMON, type: 'regular', body: { kind: 'external', size: 100_000 } },
    { ...COMMON, type: 'regular', body: { kind: 'data', bytes: new Uint8Array(5000).fill(1) } },
  ];
  const order = version === 2 ? [0, 1, 6, 2, 3, 4, 5] : [0, 1, 2, 3, 4, 5, 6];
  if (version === 2) inodes[6] = { ...inodes[6], body: { kind: 'data', bytes: new Uint8Array(50).fill(1) } };
  const place = (inode: number): number => order.indexOf(inode);
  const moved = order.map((from): ErofsInode => {
    const { body } = inodes[from];
    if (body.kind !== 'directory') return inodes[from];
    const entries = body.entries.map(({ name, inode }) => ({ name, inode: place(inode) }));
    return { ...inodes[from], body: { ...body, parent: place(body.parent), entries } };
  });
  return Buffer.from(writeErofs(moved, version));
}

/** Offsets of the inodes of the sample in version 1, by what the reader finds. */
function offsets(image: Uint8Array): Record<'root' | 'd' | 'f' | 'l' | 'n' | 'x' | 'deep', number> {
  const { root, inodes } = readErofs(image);
  const nids = new Map<string, number>();
  for (const { body } of inodes.values()) {
    if (body.kind === 'directory') for (const { name, nid } of body.entries) nids.set(name, nid);
  }
  const of = (name: string): number => nids.get(name)! * 32;
  return { root: root.offset, d: of('d'), f: of('f'), l: of('l'), n: of('n'), x: of('x'), deep: of('deep') };
}

/** Where the entries of the root stand: behind its header and attributes. */
function direntsOf(image: Buffer, inode: number): number {
  const extended = (image.readUInt16LE(inode) & 1) === 1;
  const count = image.readUInt16LE(inode + 2);
  return inode + (extended ? 64 : 32) + (count === 0 ? 0 : 12 + (count - 1) * 4);
}

function refuses(
  change: (image: Buffer, at: ReturnType<typeof offsets>) => void,
  code: string,
  version: ErofsVersion = 1,
): void {
  const image = sample(version);
  change(image, offsets(image));
  assert.throws(
    () => readErofs(image),
    (error) => {
      assert.ok(error instanceof BootsealError, String(error));
      assert.equal(error.code, code, error.message);
      assert.equal(typeof error.offset, 'number');
      return true;
    },
  );
  // The same is found when all problems are collected, which must come to its end.
  const problems: ErofsProblem[] = [];
  readErofs(image, problems);
  assert.ok(problems.some((problem) => problem.code === code));
}

test('an image is read as it was written, in every version', () => {
  for (const version of [0, 1, 2] as const) {
    const { inodes, root } = readErofs(sample(version));
    assert.equal(inodes.size, 7);
    assert.equal(root.type, 'directory');
  }
});

test('header and superblock: magic numbers, versions, features, reserved bytes', () => {
  const header: [number, number, string][] = [
    [0, 1, 'erofs/bad-header'],
    [4, 2, 'erofs/bad-header'],
    [8, 2, 'erofs/bad-header'],
    [12, 3, 'erofs/bad-header'],
    [16, 1, 'erofs/not-zero'],
    [1000, 1, 'erofs/not-zero'],
  ];
  for (const [offset, value, code] of header) refuses((image) => image.writeUInt32LE(value, offset), code);
  const superblock: [number, number][] = [
    [0, 0],
    [4, 1],
    [8, 7],
    [12, 9],
    [16, 8],
    [36, 1],
    [40, 1],
  ];
  for (const [offset, value] of superblock) {
    refuses((image) => image.writeUInt32LE(value, 1024 + offset), 'erofs/bad-superblock');
  }
  for (const offset of [48, 64, 80, 96, 124]) {
    refuses((image) => image.writeUInt32LE(1, 1024 + offset), 'erofs/not-zero');
  }
  refuses((image) => image.writeUInt32LE(1_000_000_000, 1024 + 32), 'erofs/bad-superblock');
});

test('sizes that no image has', () => {
  for (const size of [0, 1, 1024, 4095, 4097]) {
    assert.throws(() => readErofs(new Uint8Array(size)), { code: 'erofs/bad-size' });
  }
  const cut = sample().subarray(0, 4096);
  assert.throws(() => readErofs(cut), { code: 'erofs/bad-superblock' });
});

test('cfs-crafted: a directory that leads back into itself', () => {
  refuses((image, { root, d }) => {
    const entries = direntsOf(image, d);
    image.writeUInt32LE(root / 32, entries + 2 * 12);
    image.writeUInt8(2, entries + 2 * 12 + 10);
  }, 'erofs/cycle');
  refuses((image, { root, d }) => {
    // A second name for a directory.
    const entries = direntsOf(image, root);
    image.writeUInt32LE(d / 32, entries + 3 * 12);
    image.writeUInt8(2, entries + 3 * 12 + 10);
  }, 'erofs/cycle');
});

test('cfs-crafted: inodes outside the image, negative sizes, compression', () => {
  refuses(
    (image, { root }) => image.writeUInt32LE(0x0fffffff, direntsOf(image, root) + 2 * 12),
    'erofs/out-of-bounds',
  );
  refuses(
    (image, { root }) => image.writeUInt32LE(1, direntsOf(image, root) + 2 * 12),
    'erofs/out-of-bounds',
  );
  refuses(
    (image, { root }) => image.writeUInt32LE(1, direntsOf(image, root) + 2 * 12 + 4),
    'erofs/out-of-bounds',
  );
  refuses((image) => image.writeUInt16LE(0xffff, 1024 + 14), 'erofs/out-of-bounds');
  refuses((image, { d }) => image.writeBigInt64LE(-1n, d + 8), 'erofs/bad-inode');
  refuses((image, { d }) => image.writeBigInt64LE(2n ** 40n, d + 8), 'erofs/out-of-bounds');
  // Layouts 1 and 3 are compressed.
  for (const layout of [1, 3, 5, 7]) {
    refuses(
      (image, { f }) => image.writeUInt16LE((layout << 1) | (image.readUInt16LE(f) & 1), f),
      'erofs/bad-inode',
    );
  }
  refuses((image, { f }) => image.writeUInt16LE(0x8000 | image.readUInt16LE(f), f), 'erofs/bad-inode');
});

test('cfs-crafted: two files on the same blocks, files over inodes, inodes within inodes', () => {
  refuses((image, { deep, f }) => {
    // As long as the other, and on its blocks.
    image.writeUInt16LE(image.readUInt16LE(f) & 1, f);
    image.writeUInt32LE(4096, f + 8);
    image.writeUInt32LE(image.readUInt32LE(deep + 16), f + 16);
  }, 'erofs/overlap');
  refuses((image, { f }) => {
    image.writeUInt16LE(image.readUInt16LE(f) & 1, f);
    image.writeUInt32LE(4096, f + 8);
    image.writeUInt32LE(0, f + 16);
  }, 'erofs/overlap');
  refuses(
    (image, { root, f }) => image.writeUInt32LE(f / 32 + 1, direntsOf(image, root) + 2 * 12),
    'erofs/bad-inode',
  );
});

test('cfs-crafted: absurd counts', () => {
  refuses((image, { f }) => image.writeUInt16LE(0xffff, f + 2), 'erofs/out-of-bounds');
  refuses((image, { f }) => image.writeUInt8(255, f + 32 + 4), 'erofs/bad-xattrs');
  refuses((image) => image.writeBigUInt64LE(2n ** 63n, 1024 + 16), 'erofs/bad-superblock');
  refuses(
    (image, { root }) => image.writeUInt16LE(0xfff0, direntsOf(image, root) + 8),
    'erofs/bad-directory',
  );
  refuses((image, { x }) => image.writeUInt32LE(0xff, x + 16), 'erofs/bad-inode');
  refuses((image, { x }) => {
    // A chunk of 4 KiB each: more of them than can stand behind an inode.
    image.writeUInt32LE(0, x + 16);
    image.writeUInt32LE(0xffffffff, x + 8);
  }, 'erofs/bad-inode');
});

test('directories: names, order, dots, types', () => {
  const rootEntry = (image: Buffer, root: number, index: number): number =>
    direntsOf(image, root) + index * 12;
  refuses((image, { root }) => image.writeUInt16LE(0, rootEntry(image, root, 0) + 8), 'erofs/bad-directory');
  refuses((image, { root }) => image.writeUInt16LE(13, rootEntry(image, root, 0) + 8), 'erofs/bad-directory');
  refuses((image, { root }) => image.writeUInt16LE(86, rootEntry(image, root, 1) + 8), 'erofs/bad-directory');
  refuses((image, { root }) => image.writeUInt8(1, rootEntry(image, root, 2) + 11), 'erofs/not-zero');
  refuses((image, { root }) => image.writeUInt8(1, rootEntry(image, root, 2) + 10), 'erofs/bad-directory');
  refuses(
    (image, { root, d }) => image.writeUInt32LE(d / 32, rootEntry(image, root, 1)),
    'erofs/bad-directory',
  );
  const names = 7 * 12;
  for (const [offset, text] of [
    [3, 'z'],
    [3, '/'],
    [3, '\0'],
    [0, 'a'],
  ] as const) {
    refuses(
      (image, { root }) => image.write(text, rootEntry(image, root, 0) + names + offset, 'latin1'),
      'erofs/bad-directory',
    );
  }
});

test('attributes: prefixes, filter, padding, references', () => {
  const area = (f: number): number => f + 32;
  refuses((image, { f }) => image.writeUInt32LE(0, area(f)), 'erofs/bad-xattrs');
  refuses((image, { f }) => image.writeUInt8(1, area(f) + 5), 'erofs/not-zero');
  refuses((image, { f }) => image.writeUInt32LE(0x3fffffff, area(f) + 12), 'erofs/out-of-bounds');
  refuses((image, { f }) => image.writeUInt8(9, area(f) + 16 + 1), 'erofs/bad-xattrs');
  refuses((image, { f }) => image.writeUInt16LE(0xffff, area(f) + 16 + 2), 'erofs/bad-xattrs');
  refuses((image, { f }) => image.writeUInt8(0, area(f) + 4), 'erofs/bad-xattrs');
});

test('bytes that nothing refers to', () => {
  const image = Buffer.concat([sample(), Buffer.alloc(4096)]);
  image.writeUInt32LE(image.length / 4096, 1024 + 36);
  assert.equal(readErofs(image).inodes.size, 7);
  image.writeUInt8(1, image.length - 1);
  assert.throws(() => readErofs(image), { code: 'erofs/hidden-bytes' });
});

test('one changed byte is refused or read as another tree, and never anything else', () => {
  const whole = sample();
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (offset, change) => {
      const image = Buffer.from(whole);
      image[offset] ^= change;
      try {
        readErofs(image);
      } catch (error) {
        assert.ok(error instanceof BootsealError, String(error));
        assert.match(error.code, /^erofs\//);
      }
      readErofs(image, []);
    }),
    { numRuns: 2000 },
  );
});
