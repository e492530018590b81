/**
 * Files that appear whole or not at all: written under a temporary name in the same folder, flushed, renamed,
 * and the folder flushed, so that neither a failure nor a power cut leaves half a file under the real name.
 */
import { randomBytes } from 'node:crypto';
import { link, open, readdir, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { flushEarly } from './early-flush.ts';
import { asWriteError, systemCode } from './file-errors.ts';

export interface AtomicWriteOptions {
  /** Permission bits before the umask; 0o644 by default. */
  readonly mode?: number;
  /** False: an existing file is an error (`file/exists`). Default true: it is replaced. */
  readonly overwrite?: boolean;
}

export type ByteParts = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes a file. On any failure, also of the iteration, nothing is left behind and an existing file is untouched.
 * Throws `file/exists`, `file/cannot-write`, and whatever the iteration throws.
 */
export async function writeFileAtomic(
  path: string,
  parts: ByteParts,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const temporary = temporaryName(path);
  const file = await openTemporary(temporary, path, options.mode);
  try {
    const early = flushEarly(file);
    try {
      for await (const part of parts) {
        await writeAll(file, part);
        early.wrote(part.length);
      }
      await early.finish();
    } finally {
      await early.settled();
      await file.close();
    }
    await moveInto(temporary, path, options.overwrite ?? true);
  } catch (error) {
    await rm(temporary, { force: true });
    throw asWriteError(error, path);
  }
}

/** A name in the same folder that no reader looks at: `.NAME.PID-RANDOM.tmp`. */
export function temporaryName(path: string): string {
  // A long name must stay under the 255 bytes of NAME_MAX.
  return join(
    dirname(path),
    `.${basename(path).slice(0, 60)}.${process.pid}-${randomBytes(8).toString('hex')}.tmp`,
  );
}

/** Gives a finished temporary file its name, and makes that last. */
export async function moveInto(temporary: string, path: string, overwrite: boolean): Promise<void> {
  if (overwrite) await rename(temporary, path);
  else {
    // link(2) fails where the name is taken; rename(2) would replace it.
    await link(temporary, path);
    await unlink(temporary);
  }
  await syncFolder(dirname(path));
}

/** Flushes the names in a folder. Some file systems cannot; they flush names by themselves. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM'].includes(systemCode(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

/** write(2) may write less than asked. Writes at `position`, or where the last write ended. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const place = position === undefined ? undefined : position + at;
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, place);
    at += bytesWritten;
  }
}

async function openTemporary(temporary: string, path: string, mode = 0o644): Promise<FileHandle> {
  try {
    return await open(temporary, 'wx', mode);
  } catch (error) {
    throw asWriteError(error, path);
  }
}

/** Milliseconds. A process id means nothing on another machine that shares the folder: age counts as well. */
const LEFTOVER_AGE = 3_600_000;

/** Removes temporary files that killed processes left in a folder: old ones whose process is no more. */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const pid = /^\..*\.([0-9]{1,10})-[0-9a-f]{16}\.tmp$/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    const path = join(folder, name);
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > LEFTOVER_AGE) await rm(path, { force: true, recursive: true });
  }
}

/** True also for a process that we may not signal. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
