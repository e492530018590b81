/** Blobs that a killed process had begun: what it wrote is under its temporary name still, and need not come again. */
import { constants } from 'node:fs';
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isBootsealError } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import type { BlobHasher } from '../blob-hasher/inline.ts';
import { isRunning, moveInto, temporaryName, writeAll } from '../atomic-write.ts';
import { checkedBlob } from '../checked-blob.ts';
import { flushEarly } from '../early-flush.ts';
import { asWriteError, systemCode } from '../file-errors.ts';
import { readRange } from './files.ts';

/** Less is not worth asking a registry for the rest. */
const MIN_PARTIAL = 1024 * 1024;
/** Milliseconds without a write. A process id means nothing in another container that shares the folder. */
const MIN_IDLE = 5000;

export interface Partial {
  readonly temporary: string;
  /** Bytes. */
  readonly length: number;
}

/**
 * Takes over the longest unfinished file for `path` whose process is gone, by giving it a name of ours: of several
 * that try, one succeeds. `size` is what the whole blob has.
 */
export async function claimPartial(path: string, size: number): Promise<Partial | undefined> {
  const folder = dirname(path);
  const names = await readdir(folder).catch(() => [] as string[]);
  const start = `.${basename(path).slice(0, 60)}.`;
  const found: Partial[] = [];
  for (const name of names) {
    const pid = /^([0-9]{1,10})-[0-9a-f]{16}\.tmp$/.exec(
      name.startsWith(start) ? name.slice(start.length) : '',
    )?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    const info = await stat(join(folder, name)).catch(() => undefined);
    if (info?.isFile() !== true || info.size < MIN_PARTIAL || info.size > size) continue;
    if (Date.now() - info.mtimeMs < MIN_IDLE) continue;
    found.push({ temporary: join(folder, name), length: info.size });
  }
  found.sort((a, b) => b.length - a.length);
  for (const { temporary, length } of found) {
    const own = temporaryName(path);
    try {
      await rename(temporary, own);
      return { temporary: own, length };
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw asWriteError(error, path);
    }
  }
  return undefined;
}

/** False when what was there does not fit what should be: it is removed then. Throws what `rest` throws. */
export async function finishPartial(
  partial: Partial,
  path: string,
  descriptor: Descriptor,
  rest: (offset: number) => AsyncIterable<Uint8Array>,
  hasher?: BlobHasher,
): Promise<boolean> {
  const { temporary, length } = partial;
  try {
    const file = await open(temporary, constants.O_RDWR | constants.O_NOFOLLOW);
    const early = flushEarly(file);
    try {
      let at = 0;
      // Hashed from the first byte: what a stranger, or a power cut, left there proves nothing.
      for await (const part of checkedBlob(descriptor, joined(file, length, rest), hasher)) {
        if (at >= length) {
          await writeAll(file, part, at);
          early.wrote(part.length);
        }
        at += part.length;
      }
      await early.finish();
    } finally {
      await early.settled();
      await file.close();
    }
    await moveInto(temporary, path, true);
    return true;
  } catch (error) {
    await rm(temporary, { force: true });
    if (isBootsealError(error) && error.code === 'store/digest-mismatch') return false;
    throw asWriteError(error, path);
  }
}

async function* joined(
  file: FileHandle,
  length: number,
  rest: (offset: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* readRange(file, 0, length, undefined, false, true);
  yield* rest(length);
}
