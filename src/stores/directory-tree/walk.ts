/**
 * A walk through a directory that cannot be led out of it. Node has no openat(2), but `/proc/self/fd/N/NAME` is the
 * same thing: N is an open directory, and the kernel looks NAME up in that very directory, whatever has been renamed
 * or replaced meanwhile.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, type BigIntStats } from 'node:fs';
import { BootsealError } from '../../errors.ts';
import { systemCode } from '../file-errors.ts';

export interface Visit {
  /** Without leading slash, one character a byte. `''` is the root. */
  readonly path: string;
  readonly stats: BigIntStats;
  /** For system calls on this entry, until the walk goes on. */
  readonly place: Place;
}

export type Place = string | Buffer;

export interface WalkOptions {
  /** A directory that may not be opened or listed. Throwing ends the walk; otherwise it is left out. */
  readonly onUnreadable: (path: string) => void;
}

/** PATH_MAX without its NUL and the leading slash: a path of more bytes cannot be used whole. */
export const MAX_PATH = 4094;

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

interface Level {
  readonly fd: number;
  readonly path: string;
  readonly names: readonly string[];
  next: number;
}

/** `rootFd` is an open directory and stays open. Descriptors: one for each level of depth. */
export function* walkDirectory(rootFd: number, options: WalkOptions): Generator<Visit, void, undefined> {
  const levels: Level[] = [];
  const enter = (fd: number, path: string): void => {
    levels.push({ fd, path, names: listNames(fd), next: 0 });
  };
  try {
    yield { path: '', stats: fstatSync(rootFd, { bigint: true }), place: `/proc/self/fd/${rootFd}` };
    enter(rootFd, '');
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      if (level.next === level.names.length) {
        levels.pop();
        if (level.fd !== rootFd) closeSync(level.fd);
        continue;
      }
      const name = level.names[level.next++];
      const path = level.path === '' ? name : `${level.path}/${name}`;
      if (path.length > MAX_PATH) throw pathTooLong(path);
      const place = placeOf(level.fd, name);
      const stats = attempt(path, () => lstatSync(place, { bigint: true }));
      if (!stats.isDirectory()) {
        yield { path, stats, place };
        continue;
      }
      const fd = openDirectory(place, path, stats, options);
      if (fd === undefined) continue;
      try {
        yield { path, stats, place: `/proc/self/fd/${fd}` };
        enter(fd, path);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    }
  } finally {
    for (const { fd } of levels) if (fd !== rootFd) closeSync(fd);
  }
}

/** The directory that lstat(2) saw, or undefined where it may not be read. */
function openDirectory(
  place: Place,
  path: string,
  seen: BigIntStats,
  { onUnreadable }: WalkOptions,
): number | undefined {
  let fd: number;
  try {
    fd = openSync(place, OPEN_DIRECTORY);
  } catch (error) {
    if (!isRefusal(error)) throw treeError(path, error);
    onUnreadable(path);
    return undefined;
  }
  const opened = fstatSync(fd, { bigint: true });
  if (opened.ino !== seen.ino || opened.dev !== seen.dev) {
    closeSync(fd);
    throw changed(path, 'has been replaced');
  }
  return fd;
}

function listNames(fd: number): string[] {
  // One character a byte, so that this order is that of the bytes.
  return readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' }).sort();
}

/** A string where Node's UTF-8 gives the same bytes; it is twice as fast. */
function placeOf(fd: number, name: string): Place {
  const folder = `/proc/self/fd/${fd}/`;
  // oxlint-disable-next-line no-control-regex -- ASCII, whatever it is
  if (/^[\x00-\x7f]*$/.test(name)) return folder + name;
  return Buffer.from(folder + name, 'latin1');
}

/** What the system says about an entry of the tree, as a BootsealError. */
export function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw treeError(path, error);
  }
}

export function isRefusal(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'EACCES' || code === 'EPERM';
}

function treeError(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP')
    return changed(path, 'has been replaced or removed');
  if (code === 'EMFILE') {
    return new BootsealError('tree/too-deep', 'more levels of directories than files may be open', {
      where: shown(path),
      hint: 'raise the limit on open files: ulimit -n 4096',
      cause: error,
    });
  }
  if (isRefusal(error)) return unreadable([path]);
  return new BootsealError(
    'tree/cannot-read',
    `cannot read: ${error instanceof Error ? error.message : String(error)}`,
    {
      where: shown(path),
      cause: error,
    },
  );
}

export function changed(path: string, what: string): BootsealError {
  return new BootsealError('tree/changed', `${what} while the tree was read`, {
    where: shown(path),
    hint: 'digest a tree that nothing writes to, such as a snapshot or a read-only mount',
  });
}

function pathTooLong(path: string): BootsealError {
  return new BootsealError('tree/path-too-long', `a path of ${path.length + 1} bytes, over ${MAX_PATH + 1}`, {
    where: `${shown(path.slice(0, 60))}…`,
    hint: 'no program can use such a path whole, and no composefs dump can hold it; flatten the tree',
  });
}

const SHOWN_PATHS = 20;

export function unreadable(paths: readonly string[]): BootsealError {
  const more = paths.length > SHOWN_PATHS ? `, and ${paths.length - SHOWN_PATHS} more` : '';
  const list = paths.slice(0, SHOWN_PATHS).map(shown).join(', ');
  return new BootsealError('tree/unreadable', `this user may not read ${list}${more}`, {
    hint: 'a digest of the rest would be of no use: run as a user who may read all of it, for example with podman unshare or as root',
  });
}

/** For people: absolute within the tree. */
export function shown(path: string): string {
  return `/${Buffer.from(path, 'latin1').toString('utf8')}`;
}
