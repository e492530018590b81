/**
 * A directory of this machine as the source of a tree. It is gone through twice: once to see what there is and whether
 * it may be read, and once to read it. Between, getfattr reads the attributes. An entry that is not the same both
 * times, by its time of change, which nobody can set, is an error: a digest of a tree in motion means nothing.
 */
import { closeSync, constants, openSync, readlinkSync, type BigIntStats } from 'node:fs';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { cannotRead, systemCode } from '../file-errors.ts';
import { openFile, READ_SIZE, readFile } from './read-file.ts';
import type { DirectorySource, DirectorySurvey, FoundEntry, FoundKind } from './types.ts';
import { attempt, changed, shown, unreadable, walkDirectory, type Visit } from './walk.ts';
import { readTreeXattrs } from './xattrs.ts';

/**
 * The name given may be a symbolic link; nothing below it is followed. Throws `file/cannot-read`,
 * `tree/not-a-directory`, `tree/live-root`.
 */
export function openDirectoryTree(
  path: string,
  options: { readonly signal?: AbortSignal } = {},
): DirectorySource {
  if (/^\/+$/.test(path)) {
    throw new BootsealError('tree/live-root', 'the running system is no image: it changes while it is read', {
      where: path,
      hint: 'mount the image and give that directory',
    });
  }
  const rootFd = openRoot(path);
  const marks = createMarks();
  const buffer = Buffer.allocUnsafeSlow(READ_SIZE);

  function survey(): DirectorySurvey {
    const refused: string[] = [];
    const mayReadAll = process.geteuid?.() === 0;
    let entries = 0;
    let bytes = 0;
    for (const visit of walkDirectory(rootFd, { onUnreadable: (path) => refused.push(path) })) {
      options.signal?.throwIfAborted();
      entries += 1;
      marks.push(visit.stats);
      if (!visit.stats.isFile()) continue;
      bytes += Number(visit.stats.size);
      if (!mayReadAll && !isReadable(visit)) refused.push(visit.path);
    }
    if (refused.length > 0) throw unreadable(refused);
    return { entries, bytes };
  }

  function* walk(): Generator<FoundEntry, void, undefined> {
    const onUnreadable = (path: string): never => {
      throw unreadable([path]);
    };
    let index = 0;
    for (const visit of walkDirectory(rootFd, { onUnreadable })) {
      options.signal?.throwIfAborted();
      if (!marks.matches(index++, visit.stats)) throw changed(visit.path, 'was changed');
      yield entryOf(visit, buffer);
    }
    if (index !== marks.count()) throw changed('', 'lost files');
  }

  return {
    survey,
    xattrs: (onFile) => readTreeXattrs(rootFd, onFile, options.signal),
    walk,
    close: () => closeSync(rootFd),
  };
}

function openRoot(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') {
      throw new BootsealError('tree/not-a-directory', 'is not a directory', { where: path, cause: error });
    }
    throw cannotRead(path, error);
  }
}

/** What an entry was like, in eight bytes. */
function createMarks(): {
  push(stats: BigIntStats): void;
  matches(index: number, stats: BigIntStats): boolean;
  count(): number;
} {
  let marks = new Float64Array(1024);
  let count = 0;
  const mark = ({ ctimeNs, ino, dev, size }: BigIntStats): number =>
    Number(BigInt.asUintN(53, ctimeNs * 31n + ino * 0x9e3779b1n + dev * 17n + size));
  return {
    push(stats) {
      if (count === marks.length) {
        const larger = new Float64Array(2 * count);
        larger.set(marks);
        marks = larger;
      }
      marks[count++] = mark(stats);
    },
    matches: (index, stats) => index < count && marks[index] === mark(stats),
    count: () => count,
  };
}

function isReadable(visit: Visit): boolean {
  try {
    closeSync(openFile(visit.place, visit.path));
    return true;
  } catch (error) {
    if (isBootsealError(error) && error.code === 'tree/unreadable') return false;
    throw error;
  }
}

function entryOf(visit: Visit, buffer: Uint8Array): FoundEntry {
  const { path, stats, place } = visit;
  const kind = kindOf(path, stats);
  const nanos = ((stats.mtimeNs % NANOS) + NANOS) % NANOS;
  return {
    path,
    kind,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: { seconds: (stats.mtimeNs - nanos) / NANOS, nanos: Number(nanos) },
    inode: `${stats.dev}:${stats.ino}`,
    size: kind === 'regular' ? Number(stats.size) : 0,
    ...(kind === 'symlink' && { target: attempt(path, () => readlinkSync(place, { encoding: 'latin1' })) }),
    ...((kind === 'character' || kind === 'block') && { device: deviceOf(path, stats.rdev) }),
    ...(kind === 'regular' && { content: () => readFile(place, path, stats, buffer) }),
  };
}

const NANOS = 1_000_000_000n;

function kindOf(path: string, stats: BigIntStats): FoundKind {
  if (stats.isFile()) return 'regular';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'character';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  throw new BootsealError('tree/cannot-read', `a file of unknown type ${(stats.mode >> 12n).toString(8)}`, {
    where: shown(path),
  });
}

/** The C library spreads the numbers over 64 bits; the kernel and every image format have 12 and 20. */
function deviceOf(path: string, rdev: bigint): { major: number; minor: number } {
  const major = Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn));
  const minor = Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn));
  if (major > 0xfff || minor > 0xfffff) {
    throw new BootsealError('tree/bad-device', `device ${major}:${minor} has no place in an image`, {
      where: shown(path),
    });
  }
  return { major, minor };
}
