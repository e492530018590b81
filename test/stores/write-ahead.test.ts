import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { concatBytes } from '../../src/bytes/bytes.ts';
import { writeAhead } from '../../src/stores/write-ahead.ts';

let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'bootseal-ahead-'))));
after(() => rm(folder, { recursive: true, force: true }));

describe('writeAhead', () => {
  it('writes what finish returns, whatever was written before', async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 50 });
    /** Views of the body at the same place, at another place, and bytes of their own. */
    const piece = fc.record({
      kind: fc.constantFrom('same', 'moved', 'own'),
      own: bytes,
      from: fc.nat(80),
      length: fc.nat(80),
    });
    const path = join(folder, 'out');
    await fc.assert(
      fc.asyncProperty(
        fc.array(bytes, { minLength: 1, maxLength: 4 }),
        fc.array(piece, { maxLength: 6 }),
        async (pieces, plan) => {
          const whole = concatBytes(pieces);
          const cut = Math.floor(whole.length / 2);
          const body = [whole.subarray(0, cut), whole.subarray(cut)];
          let offset = 0;
          const parts = plan.map(({ kind, own, from, length }) => {
            const start = kind === 'same' ? offset : from;
            const part = kind === 'own' ? own : whole.subarray(start, start + length);
            offset += part.length;
            return part;
          });
          await writeAhead(path, body, async () => ({ parts }));
          assert.deepEqual(await readFile(path), Buffer.from(concatBytes(parts)));
        },
      ),
      { numRuns: 60 },
    );
    assert.deepEqual(await readdir(folder), ['out']);
  });

  it('leaves an existing file and nothing else when finish fails', async () => {
    const path = join(folder, 'kept');
    await writeFile(path, 'before');
    const body = [new Uint8Array(1_000_000)];
    await assert.rejects(
      writeAhead(path, body, () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(await readFile(path, 'utf8'), 'before');
    assert.ok(!(await readdir(folder)).some((name) => name.endsWith('.tmp')));
  });

  it('says when it cannot write', async () => {
    const body = [Uint8Array.of(1)];
    await assert.rejects(
      writeAhead(join(folder, 'none', 'out'), body, async () => ({ parts: body })),
      {
        code: 'file/cannot-write',
      },
    );
  });
});
