/** Files and the standard streams, in pieces; `-` is the standard stream. */
import { createReadStream } from 'node:fs';
import { cannotRead, systemCode } from '../stores/file-errors.ts';

const PIECE = 2 ** 20;

/** The bytes of a file, or of standard input. Throws `file/cannot-read`. */
export async function* readPieces(
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream =
    path === '-'
      ? process.stdin
      : createReadStream(path, { highWaterMark: PIECE, ...(signal && { signal }) });
  try {
    for await (const piece of stream) {
      signal?.throwIfAborted();
      yield piece as Uint8Array;
    }
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    throw cannotRead(path === '-' ? 'standard input' : path, cause);
  }
}

/** All of it, or an error of the stream. */
export async function writeStandardOutput(bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(bytes, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}
