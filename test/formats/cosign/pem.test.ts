/** PEM blocks, one after another, as Go's encoding/pem finds them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  encodePem,
  findPemBlock,
  MAX_KEY_FILE_SIZE,
  readPemBlocks,
} from '../../../src/formats/cosign/pem.ts';

const LIMIT = 8 * 1024 * 1024;

function labels(text: string): string[] {
  return [...readPemBlocks(Buffer.from(text), LIMIT)].map(({ label }) => label);
}

const block = encodePem('A', Buffer.from('bytes'));

test('property: what is written is read, among prose and one after another', () => {
  const label = fc.stringMatching(/^[A-Z]{1,8}( [A-Z]{1,8})?$/);
  const prose = fc.stringMatching(/^[a-z .]{0,20}$/).map((text) => (text === '' ? '' : `${text}\n`));
  const blocks = fc.array(fc.tuple(prose, label, fc.uint8Array({ maxLength: 100 })), { maxLength: 5 });
  fc.assert(
    fc.property(blocks, (list) => {
      const text = list.map(([before, name, bytes]) => before + encodePem(name, bytes)).join('');
      const found = [...readPemBlocks(Buffer.from(text), LIMIT)];
      assert.deepEqual(
        found.map((each) => [each.label, [...each.bytes]]),
        list.map(([, name, bytes]) => [name, [...bytes]]),
      );
      assert.equal(found.at(-1)?.end ?? 0, list.length === 0 ? 0 : text.length);
    }),
  );
});

test('a block that is broken is passed over, and the next one read', () => {
  assert.deepEqual(labels(block.replace('END A', 'END B') + encodePem('C', Buffer.from('c'))), ['C']);
  assert.deepEqual(labels(block.replace('Ynl', 'Y!l') + block), ['A']);
  assert.deepEqual(labels(`x${block}`), []);
  assert.deepEqual(labels(`x\n${block}`), ['A']);
  assert.deepEqual(labels(` ${block}`), []);
  assert.deepEqual(labels(`-----BEGIN A-----\n${block}`), ['A']);
  assert.deepEqual(labels(block.replace('-----END A-----', '-----END A----- x')), []);
});

test('header lines are noticed', () => {
  const withHeader = block.replace('-----\n', '-----\nname: value\n\n');
  assert.equal(findPemBlock(Buffer.from(withHeader))?.hasHeaders, true);
  assert.equal(findPemBlock(Buffer.from(block))?.hasHeaders, false);
});

test('no file takes long, however many blocks seem to begin in it', () => {
  const size = 4 * 1024 * 1024;
  const fill = (unit: string): string => unit.repeat(size / unit.length);
  for (const text of [
    fill('-----BEGIN A-----\n'),
    `${fill('-----BEGIN A-----\n')}\n-----END B-----\n`,
    `${fill('-----BEGIN A-----\n')}\n-----END A-----\n`,
    fill('-----BEGIN A-----\n-----END B-----\n'),
    fill('-----BEGIN A:-----\n'),
    fill('-----BEGIN A-----\nx: y\n'),
    fill('-----END A-----\n'),
    fill('\n'),
    fill('-----BEGIN '),
  ]) {
    const started = performance.now();
    labels(text);
    const took = performance.now() - started;
    assert(took < 3000, `${JSON.stringify(text.slice(0, 40))} took ${took} ms`);
  }
});

test('a key file has a limit', () => {
  assert.throws(() => findPemBlock(Buffer.alloc(MAX_KEY_FILE_SIZE + 1)), /exceeds/);
});
