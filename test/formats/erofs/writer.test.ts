import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { equalBytes } from '../../../src/bytes/bytes.ts';
import { BootsealError } from '../../../src/errors.ts';
import type { ErofsBody, ErofsInode, ErofsVersion } from '../../../src/formats/erofs/format.ts';
import { chunkBits } from '../../../src/formats/erofs/layout.ts';
import { writeErofs } from '../../../src/formats/erofs/writer.ts';

const COMMON = { mode: 0o755, uid: 0, gid: 0, seconds: 0n, nanos: 0, nlink: 1, xattrs: [] };

/** A root with these files in it. */
function image(
  bodies: readonly ErofsBody[],
  version: ErofsVersion,
  xattrs: ErofsInode['xattrs'] = [],
): Uint8Array {
  const entries = bodies.map((_, at) => ({ name: `f${String(at).padStart(4, '0')}`, inode: at + 1 }));
  const root: ErofsInode = { ...COMMON, type: 'directory', body: { kind: 'directory', parent: 0, entries } };
  const files = bodies.map((body): ErofsInode => {
    const type = body.kind === 'symlink' ? 'symlink' : body.kind === 'device' ? 'block' : 'regular';
    return { ...COMMON, type, body, xattrs };
  });
  return writeErofs([root, ...files], version);
}

interface RawInode {
  readonly layout: number;
  readonly size: number;
  readonly union: number;
  /** Offset behind inode and attributes. */
  readonly data: number;
}

/** The inodes of an image in disk order, found as the kernel finds them: by the numbers in the root directory. */
function inodesOf(bytes: Uint8Array): RawInode[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const inode = (nid: number): RawInode => {
    const at = nid * 32;
    const format = view.getUint16(at, true);
    const extended = (format & 1) !== 0;
    const count = view.getUint16(at + 2, true);
    return {
      layout: format >> 1,
      size: extended ? Number(view.getBigUint64(at + 8, true)) : view.getUint32(at + 8, true),
      union: view.getUint32(at + 16, true),
      data: at + (extended ? 64 : 32) + (count === 0 ? 0 : 12 + (count - 1) * 4),
    };
  };
  const root = inode(view.getUint16(1024 + 14, true));
  const blocks: [start: number, length: number][] = [];
  const whole = root.layout === 0 ? root.size : root.size - (root.size % 4096);
  for (let at = 0; at < whole; at += 4096) blocks.push([root.union * 4096 + at, 4096]);
  if (whole < root.size) blocks.push([root.data, root.size - whole]);
  const nids: number[] = [];
  for (const [start] of blocks) {
    const count = view.getUint16(start + 8, true) / 12;
    for (let index = 0; index < count; index++) {
      const type = bytes[start + index * 12 + 10];
      if (type !== 2) nids.push(view.getUint32(start + index * 12, true));
    }
  }
  return nids.map(inode);
}

/** Content by the rules of the format: whole blocks first, then what stands behind the inode. */
function contentOf(bytes: Uint8Array, { layout, size, union, data }: RawInode): Uint8Array {
  const tail = layout === 2 ? size % 4096 : 0;
  const blocks = bytes.subarray(union * 4096, union * 4096 + size - tail);
  return Buffer.concat([tail === size ? new Uint8Array(0) : blocks, bytes.subarray(data, data + tail)]);
}

const version = fc.constantFrom<ErofsVersion>(0, 1, 2);

test('contents and targets of every length come back, and no tail crosses a block', () => {
  const sizes = fc.array(
    fc.record({
      kind: fc.constantFrom('data' as const, 'symlink' as const),
      size: fc.oneof(fc.nat(70), fc.integer({ min: 1, max: 4090 })),
    }),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(sizes, version, (list, number) => {
      const bodies = list.map(({ kind, size }, at): ErofsBody => {
        // Version 2 was never given more than a kilobyte, and does not keep more in one block.
        const length = number === 2 ? size % 1025 : size;
        const bytes = new Uint8Array(kind === 'symlink' ? Math.max(length, 1) : length).fill(1 + (at % 250));
        return kind === 'symlink' ? { kind, target: bytes } : { kind, bytes };
      });
      const bytes = image(bodies, number);
      assert.equal(bytes.length % 4096, 0);
      const found = inodesOf(bytes);
      assert.equal(found.length, bodies.length);
      for (const [at, inode] of found.entries()) {
        const body = bodies[at];
        const expected = body.kind === 'data' ? body.bytes : (body as { target: Uint8Array }).target;
        assert.equal(inode.size, expected.length);
        assert.ok(equalBytes(contentOf(bytes, inode), expected), `file ${at} of ${expected.length} bytes`);
        if (inode.layout !== 2 || inode.size % 4096 === 0) continue;
        const end = inode.data + (inode.size % 4096) - 1;
        assert.equal(Math.floor(inode.data / 4096), Math.floor(end / 4096), `tail of file ${at}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('inline content over a block is whole blocks and a tail, but for version 2', () => {
  for (const size of [4095, 4096, 4097, 6144, 6145, 9000]) {
    const bytes = new Uint8Array(size).map((_, at) => at & 255);
    const written = image([{ kind: 'data', bytes }], 1);
    assert.ok(equalBytes(contentOf(written, inodesOf(written)[0]), bytes), `${size} bytes`);
  }
  const isTooLarge = (error: unknown): boolean =>
    error instanceof BootsealError && error.code === 'erofs/too-large';
  assert.throws(() => image([{ kind: 'data', bytes: new Uint8Array(5000) }], 2), isTooLarge);
});

test('the chunk of an external file holds it whole', () => {
  const sizes = [1, 65, 4096, 4097, 8192, 8193, 2 ** 31, 2 ** 31 + 1, 2 ** 40, 2 ** 43 - 1, 2 ** 43];
  for (const size of sizes) {
    const chunk = 2 ** (chunkBits(size, 1) + 12);
    assert.ok(chunk >= size, `${size}`);
    assert.ok(chunk === 4096 || chunk / 2 < size, `${size}`);
  }
  assert.equal(chunkBits(10, 2), 31);
});

test('a directory is cut where the next entry would not fit, and a small rest stays with the inode', () => {
  const bodies = Array.from({ length: 300 }, (): ErofsBody => ({ kind: 'none' }));
  const bytes = image(bodies, 1);
  const view = new DataView(bytes.buffer);
  const root = 36 * 32;
  const size = view.getUint32(root + 8, true);
  assert.equal(view.getUint16(root, true) >> 1, 2);
  // 27 bytes of dots and 239 entries of 17 are in the block; the rest has no block of its own.
  assert.equal(size, 4096 + 61 * 17);
  assert.equal(inodesOf(bytes).length, 300);
});

test('more attributes than an inode can count are refused', () => {
  const xattrs = Array.from({ length: 300 }, (_, at) => ({ name: `user.${at}`, value: new Uint8Array(0) }));
  assert.throws(
    () => image([{ kind: 'none' }, { kind: 'none' }], 1, xattrs),
    (error) => error instanceof BootsealError && error.code === 'erofs/too-many-xattrs',
  );
});
