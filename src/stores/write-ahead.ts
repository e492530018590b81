/**
 * An atomic write that starts before its contents are final: signing a boot image changes a few headers and adds a
 * table, while the disk can already take the 60 MiB between them.
 */
import { open, rm, type FileHandle } from 'node:fs/promises';
import type { Parts } from '../bytes/rope.ts';
import { partsLength } from '../bytes/rope.ts';
import { moveInto, temporaryName } from './atomic-write.ts';
import { asWriteError } from './file-errors.ts';

/**
 * Writes what `finish` returns to `path`, as `writeFileAtomic` does. Meanwhile `body`, which most of it will be views
 * of, is written under the temporary name; only what differs from it is written again. On any failure, also of
 * `finish`, nothing is left behind.
 */
export async function writeAhead<T extends { readonly parts: Parts }>(
  path: string,
  body: Parts,
  finish: () => Promise<T>,
): Promise<T> {
  const temporary = temporaryName(path);
  const file = await open(temporary, 'wx', 0o644).catch((error: unknown) => {
    throw asWriteError(error, path);
  });
  try {
    let result: T;
    try {
      const started = writeBody(file, body);
      // Both are waited for whatever happens, so that nothing writes to a closed file.
      const [finished, written] = await Promise.allSettled([finish(), started]);
      if (finished.status === 'rejected') throw finished.reason;
      if (written.status === 'rejected') throw written.reason;
      result = finished.value;
      await writeChanges(file, body, result.parts);
      await file.truncate(partsLength(result.parts));
      await file.sync();
    } finally {
      await file.close();
    }
    await moveInto(temporary, path, true);
    return result;
  } catch (error) {
    await rm(temporary, { force: true });
    throw asWriteError(error, path);
  }
}

async function writeBody(file: FileHandle, body: Parts): Promise<void> {
  const pieces = withOffsets(body);
  await Promise.all(pieces.map(({ part, offset }) => writeAt(file, part, offset)));
  await file.datasync();
}

/** Writes the parts that are not, at the same place, views of the same memory as the body. */
async function writeChanges(file: FileHandle, body: Parts, final: Parts): Promise<void> {
  const known = withOffsets(body);
  for (const { part, offset } of withOffsets(final)) {
    const isThere = known.some(
      (piece) =>
        piece.part.buffer === part.buffer &&
        piece.part.byteOffset - piece.offset === part.byteOffset - offset &&
        offset >= piece.offset &&
        offset + part.length <= piece.offset + piece.part.length,
    );
    if (!isThere) await writeAt(file, part, offset);
  }
}

function withOffsets(parts: Parts): { readonly part: Uint8Array; readonly offset: number }[] {
  let offset = 0;
  return parts.map((part) => {
    const piece = { part, offset };
    offset += part.length;
    return piece;
  });
}

/** write(2) may write less than asked. */
async function writeAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, offset + at);
    at += bytesWritten;
  }
}
