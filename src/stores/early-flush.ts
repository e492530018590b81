/**
 * Lets the disk begin while a large file is still being written: what is flushed only at the end makes the program
 * wait for as long as the disk takes for all of it.
 */
import type { FileHandle } from 'node:fs/promises';

/** Bytes of one file that wait in memory. Each flush also makes the file system write its journal. */
const FLUSH_EVERY = 64 * 1024 * 1024;

/** One at a time in the whole program: each occupies one of the few threads that Node writes files with. */
let isFlushing = false;

export interface EarlyFlush {
  /** So many bytes more have been written. */
  wrote(length: number): void;
  /** The last flush, of all. Throws when the disk failed, also before: the kernel tells of it only once. */
  finish(): Promise<void>;
  /** Waits for what is under way, so that the file can be closed. */
  settled(): Promise<void>;
}

export function flushEarly(file: Pick<FileHandle, 'datasync' | 'sync'>): EarlyFlush {
  let waiting = 0;
  let running: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;

  async function flush(): Promise<void> {
    isFlushing = true;
    try {
      await file.datasync();
    } catch (error) {
      failure ??= { error };
    } finally {
      isFlushing = false;
    }
  }

  return {
    wrote(length) {
      waiting += length;
      if (waiting < FLUSH_EVERY || isFlushing) return;
      waiting = 0;
      running = flush();
    },
    async finish() {
      await running;
      if (failure !== undefined) throw failure.error;
      await file.sync();
    },
    settled: () => running ?? Promise.resolve(),
  };
}
