import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { ANNOTATIONS, MAX_TABLE } from '../../../src/formats/zstd-chunked/format.ts';
import {
  checkFooter,
  parseChunkedAnnotations,
  parseChunkedFooter,
  type ChunkedLayer,
} from '../../../src/formats/zstd-chunked/reader.ts';
import { projectRoot } from '../../support/project.ts';

const checksum = digestOf(Uint8Array.of(1));
const SIZE = 10_000;

const bad = { code: 'zstd-chunked/bad-annotation' };

test('annotations and footer of podman name the same places', () => {
  for (const name of ['base', 'e_zeros']) {
    const path = join(projectRoot(), 'test', 'vectors', 'zstd-chunked', name);
    const blob = readFileSync(`${path}.tar.zst`);
    const annotations = JSON.parse(readFileSync(`${path}.annotations.json`, 'utf8')) as Record<
      string,
      string
    >;
    const layer = parseChunkedAnnotations(annotations, blob.length)!;
    const footer = parseChunkedFooter(blob)!;
    checkFooter(footer, layer);
    assert.deepEqual(footer, { table: layer.table, kind: 1, tarSplit: layer.tarSplit });
    for (const part of [layer.table, layer.tarSplit!]) {
      const other = { ...part, decodedLength: part.decodedLength + 1 };
      const changed: ChunkedLayer =
        part === layer.table ? { ...layer, table: other } : { ...layer, tarSplit: other };
      assert.throws(() => checkFooter(footer, changed), { code: 'zstd-chunked/bad-footer' });
    }
    assert.throws(() => checkFooter({ ...footer, kind: 2 }, layer), { code: 'zstd-chunked/bad-footer' });
    assert.equal(parseChunkedFooter(blob.subarray(0, -1)), undefined);
    assert.equal(parseChunkedFooter(blob.subarray(-71)), undefined);
  }
});

test('positions are read back as they were written', () => {
  const number = fc.nat(900);
  fc.assert(
    fc.property(number, number, number, number, number, (start, length, decoded, gap, splitLength) => {
      const table = { offset: 8 + start, length, decodedLength: decoded };
      const tarSplit = { offset: 8 + start + length + gap, length: splitLength, decodedLength: decoded };
      const annotations = {
        [ANNOTATIONS.checksum]: checksum,
        [ANNOTATIONS.position]: `${table.offset}:${length}:${decoded}:1`,
        [ANNOTATIONS.tarSplitPosition]: `${tarSplit.offset}:${splitLength}:${decoded}`,
      };
      assert.deepEqual(parseChunkedAnnotations(annotations, SIZE), { checksum, table, tarSplit });
    }),
  );
});

test('without the checksum a layer is an ordinary one', () => {
  assert.equal(parseChunkedAnnotations(undefined, SIZE), undefined);
  assert.equal(parseChunkedAnnotations({ [ANNOTATIONS.position]: 'x' }, SIZE), undefined);
});

test('a position that a lenient reader would take otherwise is refused', () => {
  const positions = [
    '',
    '8',
    '8:1:1',
    '8:1:1:1:1',
    '8:1:1:01',
    '08:1:1:1',
    '+8:1:1:1',
    ' 8:1:1:1',
    '8:1:1:1 ',
    '8:1:1:1x',
    '0x8:1:1:1',
    '8_0:1:1:1',
    '8:-1:1:1',
    '8:1:1:0',
    '8:1:1:2',
    '7:1:1:1',
    '8:9993:1:1',
    '9999999999999999:1:1:1',
    '18446744073709551615:2:1:1',
    `8:1:${MAX_TABLE + 1}:1`,
  ];
  const read = (position: string): unknown =>
    parseChunkedAnnotations({ [ANNOTATIONS.checksum]: checksum, [ANNOTATIONS.position]: position }, SIZE);
  for (const position of positions) assert.throws(() => read(position), bad, position);
  assert.ok(read('8:9992:1:1'));
  assert.ok(read(`8:1:${MAX_TABLE}:1`));
});

test('a table of over 150 MiB is refused before a byte of it is read', () => {
  const position = `8:${MAX_TABLE + 1}:1:1`;
  assert.throws(
    () =>
      parseChunkedAnnotations(
        { [ANNOTATIONS.checksum]: checksum, [ANNOTATIONS.position]: position },
        2 * MAX_TABLE,
      ),
    bad,
  );
});

test('tar-split data within the table is refused', () => {
  for (const position of ['50:1:1', '149:9:1', '40:200:1', '50:100:1']) {
    const annotations = {
      [ANNOTATIONS.checksum]: checksum,
      [ANNOTATIONS.position]: '50:100:1:1',
      [ANNOTATIONS.tarSplitPosition]: position,
    };
    assert.throws(() => parseChunkedAnnotations(annotations, SIZE), bad, position);
  }
});
