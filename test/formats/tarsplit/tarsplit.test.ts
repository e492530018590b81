/** tar-split: what is written is read again, and what is damaged is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { readTarSplit, type TarSplitEntry } from '../../../src/formats/tarsplit/reader.ts';
import { encodeTarSplit } from '../../../src/formats/tarsplit/writer.ts';

describe('tar-split', () => {
  const some: fc.Arbitrary<TarSplitEntry> = fc.oneof(
    fc
      .uint8Array({ minLength: 1, maxLength: 50 })
      .map((bytes) => ({ kind: 'segment' as const, bytes: Buffer.from(bytes) })),
    fc.record({
      kind: fc.constant('file' as const),
      name: fc
        .uint8Array({ minLength: 1, maxLength: 20 })
        .map((bytes) => Buffer.from(bytes).toString('latin1')),
      size: fc.integer({ min: 1, max: 2 ** 40 }),
    }),
  );
  it('written and read again is the same, in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(some), fc.integer({ min: 1, max: 40 }), async (entries, size) => {
        const bytes = encodeTarSplit(entries);
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        );
        const read = [];
        for await (const each of readTarSplit(pieces)) read.push({ ...each });
        assert.deepEqual(
          read,
          entries.map((each) => ({ ...each })),
        );
      }),
    );
  });

  const refused: Readonly<Record<string, string>> = {
    'a line that is missing': '{"type":2,"payload":"AA==","position":1}\n',
    'a negative size': '{"type":1,"name":"a","size":-1,"payload":"","position":0}\n',
    'a file without a name': '{"type":1,"size":1,"payload":"","position":0}\n',
    'bad base64': '{"type":2,"payload":"A","position":0}\n',
    'another type': '{"type":3,"position":0}\n',
    'no JSON': 'x\n',
  };
  for (const [what, text] of Object.entries(refused)) {
    it(`${what} is refused`, async () => {
      await assert.rejects(
        async () => {
          for await (const _ of readTarSplit([Buffer.from(text)]));
        },
        { code: 'tarsplit/malformed' },
      );
    });
  }
});
