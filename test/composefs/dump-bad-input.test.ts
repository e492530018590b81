/** Dump texts that are damaged or absurd: a clear refusal or the right image, in little time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageRules } from '../../src/composefs/image-rules.ts';
import { writePackedImage } from '../../src/composefs/image.ts';
import { packDump } from '../../src/composefs/pack-dump.ts';
import { isBootsealError } from '../../src/errors.ts';
import { readErofs } from '../../src/formats/erofs/reader.ts';

const ROOT = '/ 0 40755 2 0 0 0 0.0 - - -\n';
const RULES: readonly ImageRules[] = ['strict', 'c', 'rust'];

function make(text: string, rules: ImageRules, version: 'v0' | 'v1' = 'v1'): Uint8Array {
  const packer = packDump('sha256', rules);
  const bytes = Buffer.from(text, 'latin1');
  // In pieces, as from a pipe: lines lie across their ends.
  for (let at = 0; at < bytes.length; at += 1000) packer.push(bytes.subarray(at, at + 1000));
  return writePackedImage(packer.finish(), version, rules);
}

function refused(text: string, rules: ImageRules, code: string): void {
  assert.throws(
    () => make(text, rules),
    (error) => {
      assert.ok(isBootsealError(error), String(error));
      assert.equal(error.code, code, `${rules}: ${error.message}`);
      return true;
    },
    `${rules}: ${text.slice(0, 200)}`,
  );
}

test('every bad escape, in every field that has escapes', () => {
  const bad = ['\\', '\\x', '\\x1', '\\xg1', '\\x1g', '\\q', '\\0', '\\X41', '\\u0041', '\\x 1', '\\"'];
  for (const escape of bad) {
    const lines = [
      `/a${escape} 0 100644 1 0 0 0 0.0 - - -`,
      `/a 5 120777 1 0 0 0 0.0 t${escape} - -`,
      `/a 5 100644 1 0 0 0 0.0 - c${escape} -`,
      `/a 0 100644 1 0 0 0 0.0 - - - user.${escape}=x`,
      `/a 0 100644 1 0 0 0 0.0 - - - user.x=${escape}`,
      `/l 0 @120000 - - - - 0.0 /a${escape} - -`,
    ];
    for (const line of lines) for (const rules of RULES) refused(`${ROOT}${line}\n`, rules, 'dump/malformed');
  }
});

test('good escapes are undone', () => {
  const image = make(`${ROOT}/\\\\\\n\\r\\t\\x20\\xFF 0 100644 1 0 0 0 0.0 - - -\n`, 'strict');
  assert.ok(Buffer.from(image).includes(Buffer.from('\\\n\r\t \xff', 'latin1')));
});

test('numbers that are none, or too large for their field', () => {
  const good = ['0', '100644', '1', '0', '0', '0', '0.0'];
  const bad: readonly (readonly string[])[] = [
    ['', '-1', '1x', '18446744073709551616', '0x10'],
    ['', '8', '100648', '99999999999999999999999', '170644', '70644', '-'],
    ['', '-1', '4294967296', '1.0'],
    ['', '-1', '4294967296', '1 '],
    ['', '-1', '4294967296'],
    ['', '-1', '4294967296', '7'],
    ['', '0', '.0', '0.', '0.1000000000', '-1.0', '9223372036854775808.0', '0.-1'],
  ];
  for (const [field, values] of bad.entries()) {
    for (const value of values) {
      const fields = good.with(field, value);
      refused(`${ROOT}/a ${fields.join(' ')} - - -\n`, 'strict', 'dump/malformed');
    }
  }
});

test('lines without their root, their parents or their ends', () => {
  for (const rules of RULES) {
    refused('', rules, 'dump/malformed');
    refused(`/a 0 100644 1 0 0 0 0.0 - - -\n${ROOT}`, rules, 'dump/malformed');
    refused(`${ROOT}/a/b 0 100644 1 0 0 0 0.0 - - -\n`, rules, 'composefs/bad-dump');
    refused(
      `${ROOT}/a 0 100644 1 0 0 0 0.0 - - -\n/a/b 0 100644 1 0 0 0 0.0 - - -\n`,
      rules,
      'composefs/bad-dump',
    );
    refused(`${ROOT}${'/a 0 100644 1 0 0 0 0.0 - - -\n'.repeat(2)}`, rules, 'composefs/bad-dump');
    refused(`${ROOT}/l 0 @120000 - - - - 0.0 /gone - -\n`, rules, 'composefs/bad-dump');
    refused(`${ROOT}/l 0 @120000 - - - - 0.0 /l - -\n`, rules, 'composefs/bad-dump');
  }
  const circle = '/a 0 @120000 - - - - 0.0 /b - -\n/b 0 @120000 - - - - 0.0 /a - -\n';
  for (const rules of RULES) refused(ROOT + circle, rules, 'composefs/bad-dump');
  refused(ROOT.slice(0, -1), 'strict', 'dump/malformed');
  assert.ok(make(ROOT.slice(0, -1), 'c').length > 0);
});

test('a line that does not end', () => {
  for (const rules of RULES) refused(`${ROOT}/a ${'0'.repeat(3 * 2 ** 20)}`, rules, 'dump/malformed');
});

test('a hundred thousand attributes', () => {
  const many = (of: number): string => Array.from({ length: of }, (_, at) => ` user.${at}=`).join('');
  for (const rules of RULES) {
    refused(`${ROOT}/a 0 100644 1 0 0 0 0.0 - - -${many(100_000)}\n`, rules, 'dump/malformed');
  }
  // One each on a hundred thousand files is another matter.
  const files = Array.from(
    { length: 100_000 },
    (_, at) => `/${at} 0 100644 1 0 0 0 0.0 - - - user.${at % 500}=${at}\n`,
  );
  const start = process.cpuUsage();
  assert.ok(make(ROOT + files.join(''), 'strict').length > 2 ** 20);
  assert.ok(process.cpuUsage(start).user < 5e6);
});

test('files of 16 TiB and more', () => {
  for (const size of [2 ** 44, 2 ** 50, 2 ** 53]) {
    for (const version of ['v0', 'v1'] as const) {
      const image = make(`${ROOT}/a ${size} 100644 1 0 0 0 0.0 - - -\n`, 'strict', version);
      if (size < 2 ** 53) assert.equal(readErofs(image).inodes.size, 258);
    }
  }
  // Over 1024 chunks.
  refused(`${ROOT}/a ${2 ** 53 + 2} 100644 1 0 0 0 0.0 - - -\n`, 'strict', 'dump/malformed');
});

test('device numbers to the last one', () => {
  const image = make(`${ROOT}/a 0 60644 1 0 0 4294967295 0.0 - - -\n`, 'strict');
  const { inodes } = readErofs(image);
  assert.ok([...inodes.values()].some(({ body }) => body.kind === 'device' && body.rdev === 0xffffffff));
});

test('a path of 4096 bytes, names of 255 that are no UTF-8', () => {
  const name = '\\xff'.repeat(255);
  let path = '';
  let text = ROOT.replace(' 2 ', ' 3 ');
  for (let level = 0; level < 16; level++) {
    path += `/${name}`;
    text += `${path} 0 40755 ${level < 15 ? 3 : 2} 0 0 0 0.0 - - -\n`;
  }
  for (const rules of RULES) assert.equal(readErofs(make(text, rules)).inodes.size, 257 + 16);
  refused(`${ROOT}/${'a'.repeat(256)} 0 100644 1 0 0 0 0.0 - - -\n`, 'strict', 'dump/malformed');
});

test('hardlinks by the thousand to one file, and a chain of them', () => {
  const direct = Array.from({ length: 20_000 }, (_, at) => `/l${at} 0 @120000 - - - - 0.0 /a - -\n`).join('');
  const text = `${ROOT}/a 5 100644 20001 0 0 0 0.0 - hello -\n${direct}`;
  assert.equal(readErofs(make(text, 'strict')).inodes.size, 258);
  const chain = Array.from(
    { length: 5000 },
    (_, at) => `/l${at} 0 @120000 - - - - 0.0 /l${at + 1} - -\n`,
  ).join('');
  const forward = `${ROOT}${chain}/l5000 5 100644 5001 0 0 0 0.0 - hello -\n`;
  const start = process.cpuUsage();
  assert.equal(readErofs(make(forward, 'c')).inodes.size, 258);
  assert.ok(process.cpuUsage(start).user < 5e6);
});

test('what the two programs make different images of needs rules', () => {
  const texts = [
    '/a 5 100644 2 0 0 0 0.0 - hello -\n',
    `/a 0 100644 1 0 0 0 0.0 aa/${'a'.repeat(62)} - -\n`,
    '/aa 0 20644 1 0 0 0 0.0 - - -\n',
    '/d 0 40755 2 0 0 0 0.0 - - - user.overlay.opaque=x\n/d/w 0 20644 1 0 0 0 0.0 - - -\n',
    '/a 0 @120000 - - - - 0.0 /z - -\n',
  ];
  for (const text of texts.slice(0, 4)) {
    refused(ROOT + text, 'strict', 'composefs/rules-differ');
    for (const rules of ['c', 'rust'] as const) assert.ok(make(ROOT + text, rules).length > 0);
  }
  const later = '/z 5 100644 2 0 0 0 0.0 - hello -\n/a 0 @120000 - - - - 0.0 /z - -\n';
  refused(ROOT + later, 'strict', 'composefs/rules-differ');
});
