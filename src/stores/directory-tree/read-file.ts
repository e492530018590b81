/** The bytes of one file of a tree, and of no other: nothing is followed, nothing blocks, nothing may change. */
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { attempt, changed, type Place } from './walk.ts';

/** A FIFO or device put in the file's place must neither block nor act. */
const OPEN_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Half a buffer of the hash pool, which waits between pieces. */
export const READ_SIZE = 128 * 1024;

/** Throws `tree/unreadable`, `tree/changed`. */
export function openFile(place: Place, path: string): number {
  return attempt(path, () => openSync(place, OPEN_FILE));
}

/** Exactly as many bytes, through `buffer`, as `seen` says. Throws `tree/changed`, `tree/unreadable`. */
export function* readFile(
  place: Place,
  path: string,
  seen: BigIntStats,
  buffer: Uint8Array,
): Generator<Uint8Array, void, undefined> {
  const fd = openFile(place, path);
  try {
    // 1. It is the file that was seen.
    const opened = fstatSync(fd, { bigint: true });
    if (opened.ino !== seen.ino || opened.dev !== seen.dev || !opened.isFile())
      throw changed(path, 'was replaced');

    // 2. It holds what its size says. Files of /proc do not, and a growing one is left as soon as it shows.
    const size = Number(seen.size);
    let total = 0;
    for (;;) {
      const length = attempt(path, () => readSync(fd, buffer, 0, buffer.length, null));
      if (length === 0) break;
      total += length;
      if (total > size)
        throw changed(
          path,
          `has a size of ${size} bytes and holds more: it grew, or its file system makes it up,`,
        );
      yield buffer.subarray(0, length);
    }
    if (total < size) throw changed(path, `has a size of ${size} bytes and holds ${total}: it shrank`);

    // 3. It is as it was: writing in place changes the time of change, and nobody can set that.
    const after = fstatSync(fd, { bigint: true });
    if (after.ctimeNs !== seen.ctimeNs) throw changed(path, 'was written to');
  } finally {
    closeSync(fd);
  }
}
