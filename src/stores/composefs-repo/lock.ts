/**
 * The lock of a composefs-rs repository: flock(2) on its folder, shared for whoever reads or writes, exclusive for
 * garbage collection. Node has no flock, so util-linux's program holds it: it ends, and the kernel lets the lock
 * go, when our end of its pipe closes, which also happens when we are killed.
 */
import { spawn } from 'node:child_process';
import { BootsealError } from '../../errors.ts';

export interface RepoLock {
  release(): Promise<void>;
}

/** Seconds. */
const PATIENCE = 60;

/** Throws `repo/locked` after a minute, `repo/missing-program`. */
export async function lockRepo(path: string, mode: 'shared' | 'exclusive'): Promise<RepoLock> {
  const child = spawn(
    'flock',
    [`--${mode}`, '--timeout', String(PATIENCE), '--', path, 'sh', '-c', 'echo locked; exec cat >/dev/null'],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new BootsealError('repo/missing-program', 'the program flock cannot be run', {
          hint: 'apt-get install util-linux',
          cause,
        }),
      ),
    );
    child.once('exit', () =>
      reject(
        new BootsealError('repo/locked', `another program is using ${path}`, {
          hint: 'wait for it to end, and try again',
        }),
      ),
    );
    child.stdout.once('data', () => resolve());
  });
  return {
    async release() {
      child.stdin.end();
      await ended;
    },
  };
}

export async function withRepoLock<T>(
  path: string,
  mode: 'shared' | 'exclusive',
  work: () => Promise<T>,
): Promise<T> {
  const lock = await lockRepo(path, mode);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
