/**
 * Hashes large blobs in a thread of its own, while this one reads from sockets and the system writes: over a gigabyte
 * in memory that is shared, hashing would otherwise be half of the time that copying takes.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { BootsealError } from '../../errors.ts';
import type { DigestAlgorithm } from '../../formats/oci/digest.ts';
import { inlineBlobHash, type BlobHash, type BlobHasher } from './inline.ts';
import type { FromHasher, ToHasher } from './messages.ts';

export interface HasherOptions {
  /** Those of this machine by default: with one, everything is hashed in this thread. */
  readonly processors?: number;
  readonly startWorker?: () => Worker;
}

/** Starting the thread takes longer than hashing this much. */
const WORTH_A_THREAD = 16 * 1024 * 1024;

/** Buffers of one blob that the thread remembers: a source has a few, and others after a broken connection. */
const MAX_BUFFERS = 16;

interface Waiting {
  resolve(hex: string): void;
  reject(error: BootsealError): void;
}

interface HashThread {
  readonly worker: Worker;
  /** By blob: there is never more than one answer to come. */
  readonly waiting: Map<number, Waiting>;
  failure: BootsealError | undefined;
}

/**
 * The thread starts with the first large blob, and ends with `close` or the program. When it dies, every hash that it
 * was making, and every later one, throws `blob-hasher/thread`.
 */
export function openBlobHasher(options: HasherOptions = {}): BlobHasher {
  const { processors = availableParallelism(), startWorker = defaultWorker } = options;
  let thread: HashThread | undefined;
  let last = 0;

  return {
    open(algorithm, size) {
      if (size < WORTH_A_THREAD || processors < 2) return inlineBlobHash(algorithm);
      thread ??= startThread(startWorker);
      return hashIn(thread, ++last, algorithm);
    },
    async close() {
      if (thread === undefined) return;
      const { worker } = thread;
      fail(thread, 'the hashing thread has been closed');
      thread = undefined;
      await worker.terminate();
    },
  };
}

function defaultWorker(): Worker {
  // Options of the program's own command line may be wrong for a thread.
  return new Worker(new URL('./worker.js', import.meta.url), { execArgv: [] });
}

function startThread(startWorker: () => Worker): HashThread {
  const worker = startWorker();
  const thread: HashThread = { worker, waiting: new Map(), failure: undefined };
  worker.on('message', ({ blob, hex = '' }: FromHasher) => {
    const waiting = thread.waiting.get(blob);
    if (waiting === undefined) return;
    thread.waiting.delete(blob);
    if (thread.waiting.size === 0) worker.unref();
    waiting.resolve(hex);
  });
  worker.on('error', (cause) => fail(thread, 'the hashing thread failed', cause));
  worker.on('exit', (status) => fail(thread, `the hashing thread ended with status ${status}`));
  // Only while an answer is awaited does the thread keep the program from ending.
  worker.unref();
  return thread;
}

function fail(thread: HashThread, message: string, cause?: unknown): void {
  thread.failure ??= new BootsealError('blob-hasher/thread', message, {
    hint: 'nothing was kept of what it had not checked; try again',
    cause,
  });
  for (const each of thread.waiting.values()) each.reject(thread.failure);
  thread.waiting.clear();
}

function hashIn(thread: HashThread, blob: number, algorithm: DigestAlgorithm): BlobHash {
  const { worker, waiting } = thread;
  const buffers = new Map<ArrayBufferLike, number>();
  let inline: BlobHash | undefined;
  let isStarted = false;

  function ask(message: ToHasher): Promise<string> {
    const asked = new Promise<string>((resolve, reject) => {
      if (thread.failure !== undefined) return reject(thread.failure);
      if (waiting.size === 0) worker.ref();
      waiting.set(blob, { resolve, reject });
      return worker.postMessage(message);
    });
    return unattended(asked);
  }

  return {
    update(part) {
      // Memory that is not shared would have to be copied: rather hash it here.
      if (!isStarted && !isShared(part)) inline ??= inlineBlobHash(algorithm);
      if (inline !== undefined) return inline.update(part);
      const { buffer: memory, byteOffset: offset, length } = isShared(part) ? part : shared(part);
      if (buffers.size === MAX_BUFFERS) buffers.clear();
      const known = buffers.get(memory);
      const buffer = known ?? buffers.size;
      buffers.set(memory, buffer);
      const asked = ask({
        kind: 'update',
        blob,
        buffer,
        offset,
        length,
        ...(known === undefined && { memory }),
        ...(!isStarted && { algorithm }),
      });
      isStarted = true;
      return unattended(asked.then(() => undefined));
    },
    digest() {
      if (!isStarted) return (inline ?? inlineBlobHash(algorithm)).digest();
      return ask({ kind: 'finish', blob });
    },
    drop() {
      if (!isStarted) return;
      isStarted = false;
      if (thread.failure === undefined) worker.postMessage({ kind: 'drop', blob } satisfies ToHasher);
    },
  };
}

/** Whoever stops in the middle does not wait for it: a failure that nobody asks about is not one of the program. */
function unattended<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function isShared(part: Uint8Array): boolean {
  return part.buffer instanceof SharedArrayBuffer;
}

function shared(part: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(part.length));
  copy.set(part);
  return copy;
}
