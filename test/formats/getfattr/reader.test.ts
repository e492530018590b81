import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeLatin1 } from '../../../src/bytes/bytes.ts';
import { encodeHex } from '../../../src/bytes/hex.ts';
import { isBootsealError } from '../../../src/errors.ts';
import { createXattrReader } from '../../../src/formats/getfattr/reader.ts';

type File = [path: string, xattrs: Map<string, Uint8Array>];

function read(text: string, piece = text.length + 1): File[] {
  const files: File[] = [];
  const reader = createXattrReader((path, xattrs) => files.push([path, new Map(xattrs)]));
  const bytes = encodeLatin1(text);
  for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
  reader.end();
  return files;
}

/** As getfattr(1) of attr 2.5 does it. */
function escape(text: string, special: string): string {
  return text
    .split('')
    .map((char) => (special.includes(char) ? `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}` : char))
    .join('');
}

function print(files: readonly File[]): string {
  return files
    .map(([path, xattrs]) => {
      const lines = [...xattrs].map(([name, value]) => `${escape(name, '\n\r\\=')}=0x${encodeHex(value)}\n`);
      return `# file: ${escape(path, '\n\r\\')}\n${lines.join('')}\n`;
    })
    .join('');
}

const latin1 = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes.map((byte) => byte || 1)).toString('latin1'));

test('what getfattr printed is read back, however it is cut', () => {
  const xattrs = fc
    .uniqueArray(fc.tuple(latin1, fc.uint8Array({ maxLength: 50 })), {
      minLength: 1,
      maxLength: 5,
      selector: ([name]) => name,
    })
    .map((pairs) => new Map(pairs));
  fc.assert(
    fc.property(fc.array(fc.tuple(latin1, xattrs)), fc.integer({ min: 1, max: 60 }), (files, piece) => {
      assert.deepEqual(read(print(files), piece), files);
    }),
  );
});

test('anything else is refused, with its line', () => {
  const cases: readonly (readonly [text: string, line: string])[] = [
    ['user.a=0x\n', 'line 1'],
    ['# file: \nuser.a=0x\n\n', 'line 1'],
    ['# file: a\n\n', 'line 2'],
    ['# file: a\nuser.a\n\n', 'line 2'],
    ['# file: a\n=0x00\n\n', 'line 2'],
    ['# file: a\nuser.a="x"\n\n', 'line 2'],
    ['# file: a\nuser.a=0x0\n\n', 'line 2'],
    ['# file: a\nuser.a=0xG0\n\n', 'line 2'],
    ['# file: a\nuser.a=0x00\nuser.a=0x00\n\n', 'line 3'],
    ['# file: a\\9\nuser.a=0x\n\n', 'line 1'],
    ['# file: a\\400\nuser.a=0x\n\n', 'line 1'],
    ['# file: a\nuser.a=0x00\n', 'line 3'],
    ['# file: a\nuser.a=0x00\n\n# file', 'line 4'],
    [`# file: ${'a'.repeat(200_000)}`, 'line 1'],
  ];
  for (const [text, line] of cases) {
    assert.throws(
      () => read(text),
      (error) => isBootsealError(error) && error.code === 'getfattr/malformed' && error.where === line,
      text.slice(0, 40),
    );
  }
});
