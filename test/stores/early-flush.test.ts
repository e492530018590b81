/** Flushing while a file is still being written: never two at a time, and no failure is lost. */
import assert from 'node:assert/strict';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { flushEarly } from '../../src/stores/early-flush.ts';

const MIB = 1024 * 1024;

/** A file on a disk that does what the test says, when it says so. */
function fakeFile(): {
  readonly calls: string[];
  readonly datasync: () => Promise<void>;
  readonly sync: () => Promise<void>;
  end(error?: Error): Promise<void>;
} {
  const calls: string[] = [];
  let running: PromiseWithResolvers | undefined;
  return {
    calls,
    datasync() {
      calls.push('datasync');
      running = withResolvers();
      return running.promise;
    },
    sync: () => Promise.resolve(void calls.push('sync')),
    async end(error) {
      if (error === undefined) running?.resolve();
      else running?.reject(error);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((...both) => ([resolve, reject] = both));
  return { promise, resolve: () => resolve(), reject: (error) => reject(error) };
}

test('small files are flushed once, in the end', async () => {
  const file = fakeFile();
  const early = flushEarly(file);
  for (let at = 0; at < 63; at += 1) early.wrote(MIB);
  await early.finish();
  await early.settled();
  assert.deepEqual(file.calls, ['sync']);
});

test('large ones every 64 MiB, one at a time in the whole program', async () => {
  const [one, two] = [fakeFile(), fakeFile()];
  const [first, second] = [flushEarly(one), flushEarly(two)];
  first.wrote(64 * MIB);
  second.wrote(200 * MIB);
  first.wrote(64 * MIB);
  assert.deepEqual([one.calls, two.calls], [['datasync'], []]);
  await one.end();
  second.wrote(1);
  assert.deepEqual([one.calls, two.calls], [['datasync'], ['datasync']]);
  // The last flush waits for the one under way.
  const finished = second.finish();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(two.calls, ['datasync']);
  await two.end();
  await finished;
  assert.deepEqual(two.calls, ['datasync', 'sync']);
});

test('a disk that failed is told of in the end, though later flushes went well', async () => {
  const file = fakeFile();
  const early = flushEarly(file);
  early.wrote(64 * MIB);
  await file.end(Object.assign(new Error('EIO'), { code: 'EIO' }));
  early.wrote(64 * MIB);
  await file.end();
  await early.settled();
  await assert.rejects(early.finish(), { code: 'EIO' });
  assert.deepEqual(file.calls, ['datasync', 'datasync']);
});

test('of a real file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bootseal-flush-'));
  const file = await open(join(folder, 'file'), 'w');
  const early = flushEarly(file);
  early.wrote(64 * MIB);
  await early.finish();
  await file.close();
  await rm(folder, { recursive: true });
});
