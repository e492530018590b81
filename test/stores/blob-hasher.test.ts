/** Hashing in a thread gives what hashing here gives, and a thread that fails lets nothing through. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Digest, DigestAlgorithm } from '../../src/formats/oci/digest.ts';
import { writeFileAtomic } from '../../src/stores/atomic-write.ts';
import { openBlobHasher, type HasherOptions } from '../../src/stores/blob-hasher/hasher.ts';
import type { BlobHasher } from '../../src/stores/blob-hasher/inline.ts';
import { checkedBlob } from '../../src/stores/checked-blob.ts';

const MIB = 1024 * 1024;
const LARGE = 20 * MIB + 12_345;
const bytes = randomBytes(LARGE);
const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const expected = { digest, size: LARGE };

let folder = '';
before(async () => void (folder = await mkdtemp(join(tmpdir(), 'bootseal-hasher-'))));
after(() => rm(folder, { recursive: true }));

const opened: BlobHasher[] = [];
afterEach(async () => {
  for (const hasher of opened.splice(0)) await hasher.close();
});

function open(options: HasherOptions = {}): BlobHasher {
  const hasher = openBlobHasher({ processors: 2, ...options });
  opened.push(hasher);
  return hasher;
}

function sharedBuffer(size: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(size));
}

/** How many threads were started with it, and a way to start them. */
function counting(code?: string): { readonly started: Worker[]; readonly startWorker: () => Worker } {
  const started: Worker[] = [];
  const url = new URL('../../src/stores/blob-hasher/worker.js', import.meta.url);
  const startWorker = (): Worker => {
    const worker = code === undefined ? new Worker(url) : new Worker(code, { eval: true });
    started.push(worker);
    return worker;
  };
  return { started, startWorker };
}

/** As a source with two buffers gives them: each is overwritten as soon as the next is asked for. */
async function* reused(content: Uint8Array, size = 256 * 1024): AsyncGenerator<Uint8Array, void, undefined> {
  const buffers = [sharedBuffer(size), sharedBuffer(size)];
  for (let at = 0, turn = 0; at < content.length; at += size, turn ^= 1) {
    const part = content.subarray(at, at + size);
    buffers[turn].set(part);
    await Promise.resolve();
    yield buffers[turn].subarray(0, part.length);
    buffers[turn].fill(0xee);
  }
}

/** The same in memory of this thread. */
async function* own(content: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < content.length; at += MIB)
    yield await Promise.resolve(content.subarray(at, at + MIB));
}

async function drain(parts: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const part of parts) length += part.length;
  return length;
}

/** Under their names and under temporary ones. */
async function filesLike(part: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.includes(part));
}

describe('hashing in a thread', () => {
  for (const algorithm of ['sha256', 'sha384', 'sha512'] as const satisfies DigestAlgorithm[]) {
    it(`${algorithm}: of parts of any size and place`, async () => {
      const { started, startWorker } = counting();
      const hash = open({ startWorker }).open(algorithm, LARGE);
      const memory = sharedBuffer(3 * MIB);
      memory.set(bytes.subarray(0, memory.length));
      const plain = createHash(algorithm);
      for (const [start, end] of [
        [0, 1],
        [1, 70_000],
        [5, 5],
        [MIB - 1, 3 * MIB],
        [17, 18],
      ]) {
        await hash.update(memory.subarray(start, end));
        plain.update(memory.subarray(start, end));
      }
      // Not shared, and later: the order counts, wherever the bytes are.
      await hash.update(bytes.subarray(9, 99));
      plain.update(bytes.subarray(9, 99));
      // More buffers than are remembered.
      for (let at = 0; at < 40; at++) {
        const other = sharedBuffer(100 + at).fill(at);
        await hash.update(other);
        await hash.update(memory.subarray(at, 2 * at));
        plain.update(other).update(memory.subarray(at, 2 * at));
      }
      assert.equal(await hash.digest(), plain.digest('hex'));
      hash.drop();
      assert.equal(started.length, 1);
    });
  }

  it('of several blobs at a time', async () => {
    const { started, startWorker } = counting();
    const hasher = open({ startWorker });
    const lengths = await Promise.all(
      Array.from({ length: 5 }, () => drain(checkedBlob(expected, reused(bytes), hasher))),
    );
    assert.deepEqual(lengths, Array(5).fill(LARGE));
    assert.equal(started.length, 1);
  });

  it('while the reader writes the same bytes', async () => {
    const path = join(folder, 'written');
    await writeFileAtomic(path, checkedBlob(expected, reused(bytes), open()));
    assert.ok(bytes.equals(await readFile(path)));
  });

  it('not of small blobs, of memory that is not shared, or with one processor', async () => {
    const { started, startWorker } = counting();
    const small = bytes.subarray(0, MIB);
    const smallDigest: Digest = `sha256:${createHash('sha256').update(small).digest('hex')}`;
    const hasher = open({ startWorker });
    await drain(checkedBlob({ digest: smallDigest, size: MIB }, reused(small), hasher));
    await drain(checkedBlob(expected, reused(bytes), open({ startWorker, processors: 1 })));
    assert.equal(started.length, 0);
    // Nothing is asked of the thread: this one could not answer.
    const idle = open(counting(''));
    assert.equal(await drain(checkedBlob(expected, own(bytes), idle)), LARGE);
  });

  it('and starts again after it was closed', async () => {
    const { started, startWorker } = counting();
    const hasher = open({ startWorker });
    await drain(checkedBlob(expected, reused(bytes), hasher));
    await hasher.close();
    await drain(checkedBlob(expected, reused(bytes), hasher));
    assert.equal(started.length, 2);
  });

  it('does not keep the program from ending', () => {
    const url = (name: string): string =>
      JSON.stringify(fileURLToPath(new URL(`../../src/stores/${name}.js`, import.meta.url)));
    const program = `
      const { openBlobHasher } = await import(${url('blob-hasher/hasher')});
      const hash = openBlobHasher({ processors: 2 }).open('sha256', ${LARGE});
      await hash.update(new Uint8Array(new SharedArrayBuffer(3)));
      console.log(await hash.digest());
    `;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.equal(status, 0);
    assert.equal(stdout, `${createHash('sha256').update(Buffer.alloc(3)).digest('hex')}\n`);
  });
});

describe('what is not as it should be', () => {
  const flipped = Buffer.from(bytes);
  flipped[LARGE - 1] ^= 1;
  const cases: Readonly<Record<string, readonly [content: Uint8Array, code: string]>> = {
    'another last byte': [flipped, 'store/digest-mismatch'],
    'a byte less': [bytes.subarray(0, -1), 'store/size-mismatch'],
    'a byte more': [Buffer.concat([bytes, Buffer.alloc(1)]), 'store/size-mismatch'],
    nothing: [new Uint8Array(), 'store/size-mismatch'],
  };
  for (const [what, [content, code]] of Object.entries(cases)) {
    it(`${what}: no file`, async () => {
      const hasher = open();
      const writing = writeFileAtomic(join(folder, 'bad'), checkedBlob(expected, reused(content), hasher));
      await assert.rejects(writing, { code, exit: 1 });
      assert.deepEqual(await filesLike('bad'), []);
      // The thread is none the worse for it.
      assert.equal(await drain(checkedBlob(expected, reused(bytes), hasher)), LARGE);
    });
  }

  it('a reader that stops in the middle', async () => {
    const hasher = open();
    for await (const part of checkedBlob(expected, reused(bytes), hasher)) {
      assert.ok(part.length > 0);
      break;
    }
    await assert.rejects(async () => {
      for await (const part of checkedBlob(expected, reused(bytes), hasher))
        throw new Error(`stopped at ${part.length}`);
    }, /stopped at 262144/);
    assert.equal(await drain(checkedBlob(expected, reused(bytes), hasher)), LARGE);
  });

  const deaths: Readonly<Record<string, string>> = {
    'ends at once': 'process.exit(0)',
    'ends while it hashes': `require('node:worker_threads').parentPort.on('message', () => process.exit(0))`,
    'throws while it hashes': `require('node:worker_threads').parentPort.on('message', () => { throw new Error('x'); })`,
    'ends before the digest': `
      const { parentPort } = require('node:worker_threads');
      parentPort.on('message', ({ kind, blob }) => kind === 'update' ? parentPort.postMessage({ blob }) : process.exit(0));`,
    'does not parse': '}',
  };
  for (const [what, code] of Object.entries(deaths)) {
    it(`a thread that ${what}: no file, for any blob`, async () => {
      const hasher = open({ startWorker: () => new Worker(code, { eval: true }) });
      const writes = [1, 2].map((number) =>
        writeFileAtomic(join(folder, `dead-${number}`), checkedBlob(expected, reused(bytes), hasher)),
      );
      for (const write of await Promise.allSettled(writes)) {
        assert.equal(write.status, 'rejected');
        assert.equal((write.reason as { code?: string }).code, 'blob-hasher/thread');
      }
      // Nor for one that comes later.
      await assert.rejects(drain(checkedBlob(expected, reused(bytes), hasher)), {
        code: 'blob-hasher/thread',
      });
      assert.deepEqual(await filesLike('dead'), []);
    });
  }

  it('a thread that answers with another digest is not believed', async () => {
    const code = `
      const { parentPort } = require('node:worker_threads');
      parentPort.on('message', ({ kind, blob }) => parentPort.postMessage(kind === 'update' ? { blob } : { blob, hex: '' }));`;
    const hasher = open({ startWorker: () => new Worker(code, { eval: true }) });
    await assert.rejects(drain(checkedBlob(expected, reused(bytes), hasher)), {
      code: 'store/digest-mismatch',
    });
  });

  it('closing it ends what it was hashing', async () => {
    const code = `require('node:worker_threads').parentPort.on('message', () => undefined)`;
    const hasher = open({ startWorker: () => new Worker(code, { eval: true }) });
    const hashing = assert.rejects(drain(checkedBlob(expected, reused(bytes), hasher)), {
      code: 'blob-hasher/thread',
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await hasher.close();
    await hashing;
  });
});
