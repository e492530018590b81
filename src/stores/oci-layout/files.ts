/** Reading the files of a layout: a folder here, an archive in oci-archive. */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadOptions } from '../image.ts';
import { returnSharedBuffer, SHARED_BUFFER_SIZE, takeSharedBuffer } from '../shared-buffer.ts';
import { cannotRead, systemCode } from '../file-errors.ts';

/** A file that is being read. */
export interface LayoutFile {
  /** Bytes. */
  readonly size: number;
  /** Reads all of it, then closes it. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** For a file that is not read after all. */
  close(): Promise<void>;
}

export interface LayoutFiles {
  /** `path` is relative, with forward slashes, and made by us. Undefined when there is no such file. */
  open(path: string, options?: ReadOptions): Promise<LayoutFile | undefined>;
  close(): Promise<void>;
}

/** Bytes a read: few system calls, little memory. */
export const READ_SIZE: number = 256 * 1024;

export function folderFiles(folder: string): LayoutFiles {
  return {
    async open(path, options) {
      const file = await openRegular(join(folder, path));
      if (file === undefined) return undefined;
      const { size } = await file.stat();
      return {
        size,
        bytes: readRange(file, 0, size, options?.signal, true, options?.reuseChunks),
        close: () => file.close(),
      };
    },
    close: () => Promise.resolve(),
  };
}

/** Opens for reading. A pipe or a device never blocks us: only regular files are opened. */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw cannotRead(path, error);
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw cannotRead(path, 'not a regular file');
}

/**
 * `length` bytes from `offset`; fewer when the file ends before. Closes the file at the end if `owned`. With
 * `reuseChunks` each chunk is overwritten by the next.
 */
export async function* readRange(
  file: FileHandle,
  offset: number,
  length: number,
  signal: AbortSignal | undefined,
  owned: boolean,
  reuseChunks = false,
): AsyncGenerator<Uint8Array, void, undefined> {
  const shared = reuseChunks && length >= SHARED_BUFFER_SIZE ? takeSharedBuffer() : undefined;
  try {
    let buffer = shared;
    for (let at = 0; at < length;) {
      signal?.throwIfAborted();
      if (!reuseChunks) buffer = undefined;
      buffer ??= Buffer.allocUnsafeSlow(Math.min(reuseChunks ? length : READ_SIZE, length - at));
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, length - at), offset + at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    if (shared !== undefined) returnSharedBuffer(shared);
    if (owned) await file.close();
  }
}
