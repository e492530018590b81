/** Entries of a directory, block by block, as strictly as they are written. */
import { decodeLatin1 } from '../../bytes/bytes.ts';
import { DIRENT_SIZE } from './format.ts';
import { checkZero, unreadable, type Reading } from './reading.ts';

export interface ReadDirent {
  /** A byte a character. `.` and `..` are among them. */
  readonly name: string;
  readonly nid: number;
  /** As the entry states it. */
  readonly type: number;
  readonly offset: number;
}

const MAX_NAME = 255;

/** Appends the entries of one block, or of what stands behind the inode: `[start, end)`. */
export function readDirentBlock(reading: Reading, start: number, end: number, entries: ReadDirent[]): void {
  const { view, bytes } = reading;
  // 1. The first name stands behind the last entry, which tells how many there are.
  const first = end - start >= DIRENT_SIZE ? view.getUint16(start + 8, true) : 0;
  const size = end - start;
  if (first < DIRENT_SIZE || first % DIRENT_SIZE !== 0 || first > size) {
    unreadable(
      reading,
      'erofs/bad-directory',
      'a directory block does not say how many entries it has',
      start,
    );
  }
  const count = first / DIRENT_SIZE;
  let nameAt = first;
  for (let index = 0; index < count; index++) {
    const at = start + index * DIRENT_SIZE;
    // 2. Names stand back to back, in the order of their entries.
    if (view.getUint16(at + 8, true) !== nameAt) {
      unreadable(reading, 'erofs/bad-directory', 'a name is not where the one before ends', at + 8);
    }
    const next =
      index + 1 < count ? view.getUint16(at + DIRENT_SIZE + 8, true) : endOfNames(bytes, start, nameAt, end);
    if (next <= nameAt || next > size) {
      unreadable(reading, 'erofs/bad-directory', 'a name is empty or ends outside its block', at + 8);
    }
    const name = decodeLatin1(bytes.subarray(start + nameAt, start + next));
    if (name.length > MAX_NAME || name.includes('/') || name.includes('\0')) {
      unreadable(reading, 'erofs/bad-directory', 'a name that no file can have', start + nameAt);
    }
    const last = entries.at(-1);
    if (last !== undefined && last.name >= name) {
      reading.problem('erofs/bad-directory', 'names are not in order', at);
    }
    if (bytes[at + 11] !== 0)
      reading.problem('erofs/not-zero', 'a reserved byte of an entry is not zero', at + 11);
    if (view.getUint32(at + 4, true) !== 0) {
      unreadable(reading, 'erofs/out-of-bounds', 'an entry of an inode outside the image', at);
    }
    entries.push({ name, nid: view.getUint32(at, true), type: bytes[at + 10], offset: at });
    nameAt = next;
  }
  checkZero(reading, start + nameAt, end, 'what is behind the names of a directory block');
}

/** The last name ends at the first NUL byte, or with the block. */
function endOfNames(bytes: Uint8Array, start: number, nameAt: number, end: number): number {
  const nul = bytes.subarray(start + nameAt, end).indexOf(0);
  return nul < 0 ? end - start : nameAt + nul;
}
