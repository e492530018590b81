/** Contents that are kept together stay apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createInlineStore } from '../../src/composefs/inline-store.ts';

test('every content holds what was written to it', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 1000 }), (contents) => {
      const store = createInlineStore();
      const stored = contents.map((bytes) => {
        const content = store.add(bytes.length);
        assert.deepEqual(content.bytes, new Uint8Array(bytes.length));
        content.bytes.set(bytes);
        return content;
      });
      for (const [at, { kind, bytes }] of stored.entries()) {
        assert.equal(kind, 'inline');
        assert.deepEqual(bytes, contents[at]);
      }
    }),
    { numRuns: 20 },
  );
});
