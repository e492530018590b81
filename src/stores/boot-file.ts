/** Kernels, initrds and boot programs: large files that are needed whole. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BootsealError, withDetails } from '../errors.ts';
import { fileError } from './trust-files/read-file.ts';

/** PE files are addressed with 32 bits; memory gives out before. */
const MAX_BYTES = 2 * 1024 * 1024 * 1024 - 1;

/** The contents in one array, read once. Throws `file/unreadable`; exit 3. */
export async function readBootFile(path: string): Promise<Uint8Array> {
  let action = 'open';
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = await file.stat();
      if (!status.isFile()) {
        throw new BootsealError('file/unreadable', `${path} is not a regular file`, { where: path });
      }
      if (status.size > MAX_BYTES) {
        throw new BootsealError('file/unreadable', `${path} is larger than 2 GiB`, { where: path });
      }
      action = 'read';
      const bytes = new Uint8Array(new ArrayBuffer(status.size));
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at);
        if (bytesRead === 0) {
          throw new BootsealError('file/unreadable', `${path} became shorter while it was read`, {
            where: path,
          });
        }
        at += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof BootsealError) throw cause;
    throw withDetails(fileError('file/unreadable', action, path, cause), {
      hint: 'check the path and who may read it',
    });
  }
}
