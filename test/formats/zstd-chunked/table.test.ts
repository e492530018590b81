import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeUtf8 } from '../../../src/bytes/bytes.ts';
import { BootsealError } from '../../../src/errors.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { ENTRY_TYPES } from '../../../src/formats/zstd-chunked/format.ts';
import { parseTable } from '../../../src/formats/zstd-chunked/table.ts';
import { parseTableTime } from '../../../src/formats/zstd-chunked/time.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const count = fc.nat({ max: 2 ** 31 - 1 });

const tables = fc.array(
  fc.record({
    type: fc.constantFrom(...(Object.keys(ENTRY_TYPES) as (keyof typeof ENTRY_TYPES)[])),
    name: text,
    linkName: text,
    mode: count,
    uid: count,
    gid: count,
    size: count,
    seconds: fc.integer({ min: -(2 ** 35), max: 2 ** 36 }),
    nanos: fc.nat(999_999_999),
    devMajor: count,
    devMinor: count,
    xattrs: fc.dictionary(
      text.filter((key) => key !== '__proto__'),
      fc.uint8Array({ maxLength: 20 }),
      { maxKeys: 4 },
    ),
    digest: fc.uint8Array({ maxLength: 3 }).map((bytes) => digestOf(bytes)),
  }),
  { maxLength: 6 },
);

/** As JSON gives it: lone surrogates become the replacement character. */
const latin = (value: string): string => Buffer.from(value).toString('latin1');

test('a table says what was put into it, however it is spaced', () => {
  fc.assert(
    fc.property(tables, fc.constantFrom(undefined, 1, '\t'), (list, space) => {
      const json = {
        version: 1,
        entries: list.map(({ seconds, nanos, xattrs, ...fields }) => ({
          ...fields,
          modtime: new Date(seconds * 1000)
            .toISOString()
            .replace('.000Z', `.${String(nanos).padStart(9, '0')}Z`),
          xattrs: Object.fromEntries(
            Object.entries(xattrs).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
          ),
        })),
      };
      const read = [...parseTable(encodeUtf8(JSON.stringify(json, undefined, space))).entries()];
      assert.deepEqual(
        read.map((entry) => ({
          ...entry,
          xattrs: [...entry.xattrs].map(([key, value]) => [key, [...value]]),
        })),
        list.map(({ type, name, linkName, seconds, nanos, devMajor, devMinor, xattrs, ...same }) => ({
          ...same,
          type: ENTRY_TYPES[type],
          path: latin(name),
          linkTarget: latin(linkName),
          mtime: { seconds: BigInt(seconds), nanos },
          device: { major: devMajor, minor: devMinor },
          xattrs: Object.entries(xattrs).map(([key, value]) => [latin(key), [...value]]),
        })),
      );
    }),
  );
});

test('whatever is left out is zero', () => {
  const [entry] = parseTable(encodeUtf8('{"version":1,"entries":[{"type":"dir","name":"a/"}]}')).entries();
  assert.deepEqual(entry, {
    path: 'a/',
    type: 'directory',
    mode: 0,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0n, nanos: 0 },
    size: 0,
    linkTarget: '',
    device: { major: 0, minor: 0 },
    xattrs: new Map(),
  });
});

test('times', () => {
  const times: readonly (readonly [string, bigint | undefined, number?])[] = [
    ['', 0n],
    ['1970-01-01T00:00:00Z', 0n],
    ['0001-01-01T00:00:00Z', -62_135_596_800n],
    ['0000-02-29T00:00:00Z', -62_162_121_600n],
    ['9999-12-31T23:59:59.999999999Z', 253_402_300_799n, 999_999_999],
    ['2023-11-14T22:13:22.25Z', 1_700_000_002n, 250_000_000],
    ['2023-11-15T00:13:20+02:00', 1_700_000_000n],
    ['2023-11-14T16:43:20-05:30', 1_700_000_000n],
    ['1969-12-31T23:59:58.5Z', -2n, 500_000_000],
    ['2023-02-29T00:00:00Z', undefined],
    ['2023-13-01T00:00:00Z', undefined],
    ['2023-01-01T24:00:00Z', undefined],
    ['2023-01-01T23:59:60Z', undefined],
    ['2023-01-01T00:00:00', undefined],
    ['2023-01-01T00:00:00z', undefined],
    ['2023-01-01 00:00:00Z', undefined],
    ['2023-01-01T00:00:00.Z', undefined],
    ['2023-01-01T00:00:00.1234567890Z', undefined],
    ['2023-01-01T00:00:00+24:00', undefined],
    ['2023-01-01T00:00:00+01:60', undefined],
    ['+12023-01-01T00:00:00Z', undefined],
    ['1700000000', undefined],
  ];
  for (const [text_, seconds, nanos = 0] of times) {
    assert.deepEqual(parseTableTime(text_), seconds === undefined ? undefined : { seconds, nanos }, text_);
  }
});

test('an entry that is wrong is refused when its turn comes, with its place', () => {
  const bytes = encodeUtf8('{"version":1,"entries":[{"type":"dir","name":"a"},{"type":"dir","mode":-1}]}');
  const entries = parseTable(bytes).entries();
  assert.equal(entries.next().value?.path, 'a');
  assert.throws(
    () => entries.next(),
    (error) =>
      error instanceof BootsealError && error.code === 'zstd-chunked/bad-table' && error.offset === 50,
  );
});

test('many entries take no more memory than one', () => {
  const entry = '{"type":"reg","name":"usr/x","mode":420,"modtime":"2023-11-14T22:13:20Z"}';
  const bytes = encodeUtf8(`{"version":1,"entries":[${`${entry},`.repeat(100_000)}${entry}]}`);
  const before = process.memoryUsage().heapUsed;
  let most = 0;
  let seen = 0;
  for (const { path } of parseTable(bytes).entries()) {
    assert.equal(path, 'usr/x');
    if (++seen % 10_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed - before);
  }
  assert.equal(seen, 100_001);
  // The whole as a tree of values takes over 100 MB.
  assert.ok(most < 80e6, `${most} bytes`);
});
