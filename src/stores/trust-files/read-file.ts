/** Small configuration files, read whole with a limit, and the words of Go for what goes wrong. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BootsealError, withDetails, type ErrorCode } from '../../errors.ts';

export interface FileLimits {
  readonly maxSize: number;
  readonly code: ErrorCode;
  /** The name in errors, where it is not the path. */
  readonly shown?: string;
  readonly hint?: string;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
};

/** Throws `code` with `open FILE: no such file or directory` and the like; exit 3. */
export async function readSmallFile(path: string, limits: FileLimits): Promise<Uint8Array> {
  const { maxSize, code, shown = path, hint = 'check the path and who may read it' } = limits;
  let action = 'open';
  try {
    // Not blocking: a named pipe must not hold up a verdict.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      action = 'read';
      const parts: Uint8Array[] = [];
      let size = 0;
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(64 * 1024));
        if (bytesRead === 0) return Buffer.concat(parts, size);
        parts.push(buffer.subarray(0, bytesRead));
        size += bytesRead;
        if (size > maxSize)
          throw new BootsealError(code, `${shown} exceeds ${maxSize} bytes`, { where: shown });
      }
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof BootsealError) throw cause;
    throw withDetails(fileError(code, action, shown, cause), { hint });
  }
}

export function fileError(code: ErrorCode, action: string, path: string, cause: unknown): BootsealError {
  const reason = REASONS[errnoOf(cause) ?? ''] ?? (cause instanceof Error ? cause.message : String(cause));
  return new BootsealError(code, `${action} ${path}: ${reason}`, { cause, where: path });
}

export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
