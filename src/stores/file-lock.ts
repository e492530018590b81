/** One writer of an index at a time. The lock is a file with the process id, so that a killed owner's can be taken. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, unlink } from 'node:fs/promises';
import { BootsealError } from '../errors.ts';
import { isRunning } from './atomic-write.ts';
import { cannotWrite, systemCode } from './file-errors.ts';

/** Milliseconds. An index is written in far less. */
const PATIENCE = 30_000;
const PAUSE = 25;

/** Runs `work` while holding `path`. Throws `store/locked` when a living process keeps it for half a minute. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const owner = `${process.pid} ${randomBytes(8).toString('hex')}\n`;
  await acquire(path, owner);
  try {
    return await work();
  } finally {
    // Someone who thought us dead may hold it by now: only our own is removed.
    if ((await content(path)) === owner) await unlink(path);
  }
}

async function acquire(path: string, owner: string): Promise<void> {
  for (let waited = 0; ; waited += PAUSE) {
    if (await create(path, owner)) return;
    const holder = await content(path);
    if (holder !== undefined && isDead(holder)) {
      // Renaming is atomic: of several who wait, one takes the dead lock away.
      const taken = `${path}.${randomBytes(8).toString('hex')}`;
      await rename(path, taken).catch(() => undefined);
      await rm(taken, { force: true });
      continue;
    }
    if (waited >= PATIENCE) {
      throw new BootsealError('store/locked', `${path} is held by another process`, {
        hint: 'wait for the other command to end; if none runs, remove the lock file',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

async function create(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o644);
    try {
      await file.writeFile(owner);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw cannotWrite(path, error);
  }
}

async function content(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

function isDead(holder: string): boolean {
  const match = /^([0-9]{1,10}) /.exec(holder);
  // Not yet written, or written by something else: only patience helps.
  if (match === null) return false;
  return !isRunning(Number(match[1]));
}
