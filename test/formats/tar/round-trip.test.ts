import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concatBytes, decodeLatin1, encodeLatin1 } from '../../../src/bytes/bytes.ts';
import { BootsealError } from '../../../src/errors.ts';
import type { TarEntry } from '../../../src/formats/tar/format.ts';
import { createTarReader } from '../../../src/formats/tar/reader.ts';
import { encodeTarHeader, TAR_END, tarPadding } from '../../../src/formats/tar/writer.ts';

interface Read {
  readonly entry: TarEntry;
  readonly content: string;
}

function readAll(bytes: Uint8Array, chunk = bytes.length): Read[] {
  const found: { entry: TarEntry; content: string }[] = [];
  const reader = createTarReader({
    entry: (entry) => found.push({ entry, content: '' }),
    data: (data) => (found.at(-1)!.content += decodeLatin1(data)),
    endOfFile: () => undefined,
  });
  for (let at = 0; at < bytes.length; at += chunk) reader.push(bytes.subarray(at, at + chunk));
  reader.end();
  return found;
}

const byteText = (max: number) =>
  fc
    .uint8Array({ minLength: 1, maxLength: max })
    .map((bytes) => decodeLatin1(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))));

const attributeName = fc
  .stringMatching(/^[a-z]{1,8}\.[a-z é]{1,12}$/)
  .map((name) => Buffer.from(name).toString('latin1'));

/** Plain objects, so that they compare equal with ours. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const common = {
  path: fc.oneof(byteText(20), byteText(300), fc.constant('usr/lib/x')),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.oneof(fc.nat(70_000), fc.integer({ min: 0, max: 0xffffffff })),
  gid: fc.nat(0xffffffff),
  mtime: fc.oneof(
    record({ seconds: fc.bigInt(0n, 2n ** 40n), nanos: fc.integer({ min: 0, max: 999_999_999 }) }),
    record({ seconds: fc.bigInt(-(2n ** 40n), -1n), nanos: fc.constant(0) }),
  ),
};

const entries: fc.Arbitrary<{ entry: TarEntry; content: Uint8Array }> = fc.oneof(
  fc
    .record({
      entry: record({ ...common, type: fc.constant('file' as const) }),
      content: fc.uint8Array({ maxLength: 2000 }),
      xattrs: fc.dictionary(attributeName, fc.uint8Array({ maxLength: 40 }), {
        maxKeys: 4,
        noNullPrototype: true,
      }),
    })
    .map(({ entry, content, xattrs }) => ({
      entry: { ...entry, size: content.length, ...withXattrs(xattrs) },
      content,
    })),
  record({
    entry: record({ ...common, type: fc.constantFrom('directory' as const, 'fifo' as const) }),
    content: fc.constant(new Uint8Array(0)),
  }),
  record({
    entry: record({
      ...common,
      type: fc.constantFrom('symlink' as const, 'hardlink' as const),
      linkTarget: byteText(200),
    }),
    content: fc.constant(new Uint8Array(0)),
  }),
  record({
    entry: record({
      ...common,
      type: fc.constantFrom('character' as const, 'block' as const),
      device: record({ major: fc.nat(4095), minor: fc.nat(1_048_575) }),
    }),
    content: fc.constant(new Uint8Array(0)),
  }),
);

function withXattrs(record: Record<string, Uint8Array>): Pick<TarEntry, 'xattrs'> {
  const names = Object.keys(record).sort();
  return names.length === 0 ? {} : { xattrs: new Map(names.map((name) => [name, record[name]])) };
}

test('what the writer writes, the reader reads, in chunks of any length', () => {
  fc.assert(
    fc.property(fc.array(entries, { maxLength: 5 }), fc.integer({ min: 1, max: 1500 }), (list, chunk) => {
      const bytes = concatBytes([
        ...list.flatMap(({ entry, content }) => [
          encodeTarHeader(entry),
          content,
          tarPadding(content.length),
        ]),
        TAR_END,
      ]);
      const expected = list.map(({ entry, content }) => ({
        entry: { ...entry, ...(entry.type === 'directory' && { path: `${entry.path}/` }) },
        content: decodeLatin1(content),
      }));
      assert.deepEqual(readAll(bytes, chunk), expected);
    }),
  );
});

test('the same entry always gives the same bytes', () => {
  const entry: TarEntry = {
    path: 'usr/bin/ping',
    type: 'file',
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 1n, nanos: 500_000_000 },
    size: 3,
    xattrs: new Map([
      ['user.b', encodeLatin1('2')],
      ['security.capability', encodeLatin1('1')],
    ]),
  };
  const header = decodeLatin1(encodeTarHeader(entry));
  assert.equal(header.length, 1536);
  assert.match(
    header,
    /\d+ mtime=1\.5\n\d+ SCHILY\.xattr\.security\.capability=1\n\d+ SCHILY\.xattr\.user\.b=2\n/,
  );
});

test('GNU tar lists what we write', () => {
  const stat = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1_700_000_000n, nanos: 0 } };
  const long = `usr/${'n'.repeat(150)}`;
  const bytes = concatBytes([
    encodeTarHeader({ ...stat, path: '', type: 'directory' }),
    encodeTarHeader({ ...stat, path: long, type: 'symlink', linkTarget: 't'.repeat(120) }),
    encodeTarHeader({ ...stat, path: 'c', type: 'character', device: { major: 10, minor: 200 } }),
    encodeTarHeader({ ...stat, path: 'big', type: 'file', uid: 3_000_000_000 }),
    TAR_END,
  ]);
  const listing = execFileSync('tar', ['--utc', '--full-time', '-tvf', '-'], {
    input: bytes,
    encoding: 'utf8',
  });
  assert.match(listing, /^drw-r--r-- 0\/0 +0 2023-11-14 22:13:20 \.\/$/m);
  assert.ok(listing.includes(`${long} -> ${'t'.repeat(120)}`));
  assert.match(listing, /^crw-r--r-- 0\/0 +10,200 /m);
  assert.match(listing, /^-rw-r--r-- 3000000000\/0 +0 /m);
});

test('what a header cannot say is refused', () => {
  const stat = { path: 'x', mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 0n, nanos: 0 } };
  const wrong: Partial<TarEntry>[] = [
    { path: '' },
    { path: 'a\0b' },
    { mode: 0o10000 },
    { uid: -1 },
    { mtime: { seconds: -1n, nanos: 1 } },
    { mtime: { seconds: 0n, nanos: 1_000_000_000 } },
    { type: 'symlink' },
    { linkTarget: 'y' },
    { type: 'character' },
    { type: 'block', device: { major: 4096, minor: 0 } },
    { type: 'directory', size: 1 },
    { xattrs: new Map([['user.a=b', new Uint8Array(0)]]) },
    { xattrs: new Map([['user.\xff', new Uint8Array(0)]]) },
    { xattrs: new Map([['user.big', new Uint8Array(1024 * 1024)]]) },
  ];
  for (const change of wrong) {
    assert.throws(
      () => encodeTarHeader({ type: 'file', ...stat, ...change }),
      (error) => error instanceof BootsealError && error.code === 'tar/cannot-encode',
    );
  }
});

test('an archive cut anywhere but between entries is refused, with an offset', () => {
  const stat = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 0n, nanos: 0 } };
  const bytes = concatBytes([
    encodeTarHeader({ ...stat, path: 'x', type: 'file', size: 700 }),
    new Uint8Array(1024),
    encodeTarHeader({ ...stat, path: 'y', type: 'symlink', linkTarget: 'x'.repeat(101) }),
    TAR_END,
  ]);
  // After the padding of x the archive may end; the link has no payload, so its end needs the marker.
  for (let length = 1; length < bytes.length; length++) {
    if (length === 1536) continue;
    assert.throws(
      () => readAll(bytes.subarray(0, length)),
      (error) =>
        error instanceof BootsealError && error.code.startsWith('tar/') && error.offset !== undefined,
      `cut at ${length}`,
    );
  }
  assert.equal(readAll(bytes).length, 2);
});
