/**
 * Hashes blocks in worker threads, so that fs-verity digests cost no time beside decoding. Slots are shared memory:
 * the reader of the layers fills them, a thread hashes them, and nothing is copied between.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { inlineHashPool } from '../../formats/fsverity/inline-hash-pool.ts';
import type { BlockHashes, HashPool } from '../../formats/fsverity/ports.ts';
import { BootsealError } from '../../errors.ts';
import { VERITY_BLOCK, VERITY_DIGEST_SIZE, type VerityAlgorithm } from '../../formats/fsverity/format.ts';
import { createBell } from '../bell.ts';
import { SLOT_BLOCKS, type HashReply, type HashRequest, type WorkerSetup } from './messages.ts';

export interface HashPoolOptions {
  /** Bytes that will be hashed, as far as is known; small jobs are done without threads. */
  readonly expectedBytes?: number;
  /** Number of threads; 0 hashes in this one. By default none on machines with fewer than four processors. */
  readonly threads?: number;
  /** Nothing but hashing is to be done: threads are worth it on two processors. */
  readonly whole?: boolean;
}

/** Starting a thread takes as long as hashing this much. */
const WORTH_A_THREAD = 16 * 1024 * 1024;
const MAX_THREADS = 4;

/** Slots beyond one a thread: two that are being filled, and some that wait, so that no thread does. */
const SPARE_SLOTS = 6;

export function openHashPool(
  algorithms: readonly VerityAlgorithm[],
  options: HashPoolOptions = {},
): HashPool {
  const threads =
    options.threads ?? defaultThreads(options.expectedBytes ?? Infinity, options.whole ?? false);
  return threads === 0 ? inlineHashPool(algorithms) : startPool(algorithms, threads);
}

/**
 * Decoding a layer takes two threads and longer than hashing it. Below four processors, more threads would only
 * stand in each other's way.
 */
function defaultThreads(expectedBytes: number, whole: boolean): number {
  const processors = availableParallelism();
  if (whole)
    return expectedBytes < 2 * WORTH_A_THREAD || processors < 2 ? 0 : Math.min(processors, MAX_THREADS);
  if (expectedBytes < WORTH_A_THREAD || processors < 4) return 0;
  return Math.min(processors - 2, MAX_THREADS);
}

interface Slot {
  readonly buffer: Uint8Array;
  readonly hashes: BlockHashes;
  done: ((hashes: BlockHashes) => void) | undefined;
  finished: boolean;
}

function startPool(algorithms: readonly VerityAlgorithm[], threads: number): HashPool {
  const setup = sharedMemory(algorithms, threads + SPARE_SLOTS);
  const slots = setup.buffers.map((buffer, index) => ({
    buffer: new Uint8Array(buffer),
    hashes: hashesIn(setup.outputs[index], algorithms),
    done: undefined,
    finished: false,
  })) as Slot[];
  const free = slots.map((_, index) => index);
  /** Slots in the order in which they were submitted: threads may finish in another. */
  const order: number[] = [];
  const idle: Worker[] = [];
  const requests: HashRequest[] = [];
  let failure: BootsealError | undefined;
  const bell = createBell();

  const workers = Array.from({ length: threads }, () => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: setup });
    worker.on('message', ({ slot }: HashReply) => {
      idle.push(worker);
      slots[slot].finished = true;
      dispatch();
      deliver();
    });
    worker.on('error', (cause) => fail('a hashing thread failed', cause));
    worker.on('exit', (status) => fail(`a hashing thread ended with status ${status}`));
    idle.push(worker);
    return worker;
  });

  function dispatch(): void {
    while (idle.length > 0 && requests.length > 0) idle.pop()!.postMessage(requests.shift()!);
  }

  function deliver(): void {
    while (order.length > 0 && slots[order[0]].finished) {
      const index = order.shift()!;
      const slot = slots[index];
      const { done } = slot;
      slot.done = undefined;
      slot.finished = false;
      done?.(slot.hashes);
      free.push(index);
    }
    bell.ring();
  }

  function fail(message: string, cause?: unknown): void {
    failure ??= new BootsealError('hash-pool/thread', message, { cause });
    bell.ring();
  }

  async function until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (failure !== undefined) throw failure;
      if (condition()) return;
      await bell.heard();
    }
  }

  return {
    algorithms,
    ready() {
      return failure === undefined && free.length >= 2 ? undefined : until(() => free.length >= 2);
    },
    take() {
      const index = free.pop();
      if (index === undefined)
        throw new BootsealError('hash-pool/no-buffer', 'take() without waiting for ready()');
      return slots[index].buffer;
    },
    submit(buffer, blocks, done) {
      const slot = slots.findIndex((candidate) => candidate.buffer === buffer);
      slots[slot].done = done;
      order.push(slot);
      requests.push({ slot, blocks });
      dispatch();
    },
    settled: () => until(() => order.length === 0),
    async close() {
      for (const worker of workers) worker.removeAllListeners('exit');
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function sharedMemory(algorithms: readonly VerityAlgorithm[], slots: number): WorkerSetup {
  const digestBytes = algorithms.reduce(
    (sum, algorithm) => sum + SLOT_BLOCKS * VERITY_DIGEST_SIZE[algorithm],
    0,
  );
  return {
    algorithms,
    buffers: Array.from({ length: slots }, () => new SharedArrayBuffer(SLOT_BLOCKS * VERITY_BLOCK)),
    outputs: Array.from({ length: slots }, () => new SharedArrayBuffer(digestBytes)),
  };
}

function hashesIn(output: SharedArrayBuffer, algorithms: readonly VerityAlgorithm[]): BlockHashes {
  let offset = 0;
  return Object.fromEntries(
    algorithms.map((algorithm) => {
      const length = SLOT_BLOCKS * VERITY_DIGEST_SIZE[algorithm];
      const view = new Uint8Array(output, offset, length);
      offset += length;
      return [algorithm, view];
    }),
  );
}
