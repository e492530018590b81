import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { removeLeftovers, writeFileAtomic } from '../../src/stores/atomic-write.ts';

describe('atomic write', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bootseal-atomic-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  it('writes the parts in order with the mode', async () => {
    const path = join(folder, 'a');
    await writeFileAtomic(path, [Buffer.from('one '), Buffer.from('two')], { mode: 0o600 });
    assert.equal(await readFile(path, 'utf8'), 'one two');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  it('keeps the old file and leaves nothing behind when the parts fail', async () => {
    const path = join(folder, 'b');
    await writeFile(path, 'old');
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('new');
      await Promise.resolve();
      throw new Error('source broke');
    }
    await assert.rejects(writeFileAtomic(path, failing()), /source broke/);
    assert.equal(await readFile(path, 'utf8'), 'old');
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('refuses an existing file when told not to overwrite', async () => {
    const path = join(folder, 'c');
    await writeFile(path, 'old');
    await assert.rejects(writeFileAtomic(path, [Buffer.from('new')], { overwrite: false }), {
      code: 'file/exists',
    });
    assert.equal(await readFile(path, 'utf8'), 'old');
    await writeFileAtomic(path, [Buffer.from('new')]);
    assert.equal(await readFile(path, 'utf8'), 'new');
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('says which file it could not write', async () => {
    const path = join(folder, 'missing', 'd');
    await assert.rejects(writeFileAtomic(path, []), { code: 'file/cannot-write', message: /missing\/d/ });
  });

  it('removes what killed processes left, and nothing else', async () => {
    const random = '0123456789abcdef';
    const names = {
      old: `.x.999999999-${random}.tmp`,
      fresh: `.y.999999999-${random}.tmp`,
      running: `.z.${process.pid}-${random}.tmp`,
      mine: 'letter.tmp',
    };
    const sub = join(folder, 'leftovers');
    await mkdir(sub);
    for (const name of Object.values(names)) {
      await writeFile(join(sub, name), '');
      if (name !== names.fresh) await utimes(join(sub, name), 1000, 1000);
    }
    await removeLeftovers(sub);
    assert.deepEqual((await readdir(sub)).toSorted(), [names.fresh, names.running, names.mine].toSorted());
  });
});
