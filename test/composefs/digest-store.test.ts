/** Digests that are kept together come back as they were given, and not before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createDigestStore } from '../../src/composefs/digest-store.ts';

const ALGORITHMS = ['sha256', 'sha512'] as const;

test('every file has its own digests, of the algorithms that are computed', () => {
  fc.assert(
    fc.property(
      fc.subarray([...ALGORITHMS], { minLength: 1 }),
      fc.array(fc.constantFrom('none', 'first', 'all'), { minLength: 1, maxLength: 1500 }),
      (algorithms, files) => {
        const store = createDigestStore(algorithms);
        const added = files.map(() => store.add());
        const digest = (file: number, size: number): Uint8Array => {
          const bytes = new Uint8Array(size);
          new DataView(bytes.buffer).setUint32(size - 4, file);
          return bytes;
        };
        const isKnown = (file: number, at: number): boolean =>
          files[file] === 'all' || (files[file] === 'first' && at === 0);
        for (const [at, algorithm] of algorithms.entries()) {
          const size = algorithm === 'sha256' ? 32 : 64;
          // Backwards: the order of writing is not that of adding.
          for (let file = files.length - 1; file >= 0; file--) {
            if (isKnown(file, at)) added[file][algorithm] = digest(file, size);
          }
        }
        for (const [file, digests] of added.entries()) {
          for (const algorithm of ALGORITHMS) {
            const at = (algorithms as readonly string[]).indexOf(algorithm);
            const size = algorithm === 'sha256' ? 32 : 64;
            const expected = at >= 0 && isKnown(file, at) ? digest(file, size) : undefined;
            assert.deepEqual(digests[algorithm], expected);
          }
        }
      },
    ),
    { numRuns: 30 },
  );
});

test('no place for what is not computed, nor for what is no digest', () => {
  const digests = createDigestStore(['sha256']).add();
  assert.throws(() => (digests.sha512 = new Uint8Array(64)), TypeError);
  assert.throws(() => (digests.sha256 = new Uint8Array(64)), TypeError);
  assert.equal(digests.sha256, undefined);
});
