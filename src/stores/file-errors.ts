/** What the system says about files, as BootsealErrors. */
import { BootsealError } from '../errors.ts';

/** `ENOENT` and the like, of an error that the system raised. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('syscall' in error))
    return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const WRITE_HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'make the folder first',
  EACCES: 'check who may write there',
  EPERM: 'check who may write there',
  EROFS: 'that file system is read-only',
  ENOSPC: 'make room on that file system',
  EDQUOT: 'make room on that file system',
};

export function cannotWrite(path: string, cause: unknown): BootsealError {
  return new BootsealError('file/cannot-write', `cannot write ${path}: ${reasonOf(cause)}`, {
    hint: WRITE_HINTS[systemCode(cause) ?? ''] ?? 'check the path',
    cause,
  });
}

export function cannotRead(path: string, cause: unknown): BootsealError {
  return new BootsealError('file/cannot-read', `cannot read ${path}: ${reasonOf(cause)}`, {
    hint: 'check the path and who may read it',
    cause,
  });
}

/** A BootsealError for what the system said about writing `path`; anything else as it is. */
export function asWriteError(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  if (code === 'EEXIST') {
    return new BootsealError('file/exists', `${path} exists`, {
      hint: 'choose another name or remove it first',
      cause: error,
    });
  }
  return cannotWrite(path, error);
}

/** Of `ENOENT: no such file or directory, open '/x'` the middle: what it was about has been said. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (systemCode(cause) === undefined) return message;
  return /^[A-Z0-9]+: (.+?), [a-z]+(?: '.*')?$/s.exec(message)?.[1] ?? message;
}
