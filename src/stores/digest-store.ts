/** A folder of file contents by fs-verity digest, `xx/rest`, as `mkcomposefs --digest-store` fills it. */
import { closeSync, constants, existsSync, lstatSync, openSync, readSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeHex } from '../bytes/hex.ts';
import { BootsealError } from '../errors.ts';
import { createVerityHasher } from '../formats/fsverity/digest.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { writeFileAtomic } from './atomic-write.ts';
import { cannotRead } from './file-errors.ts';

const PIECE = 2 ** 20;

/**
 * Copies a file into the store, unless its content is there. `path` is as bytes: names need not be UTF-8. Throws
 * `file/cannot-read`, `file/cannot-write`, and `fsverity/changed` when the content is not that of the digest.
 */
export async function storeObject(
  store: string,
  digest: Uint8Array,
  algorithm: VerityAlgorithm,
  path: Buffer,
): Promise<void> {
  const hex = encodeHex(digest);
  const folder = join(store, hex.slice(0, 2));
  const target = join(folder, hex.slice(2));
  if (existsSync(target)) return;
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(target, checkedContent(path, hex, algorithm), { mode: 0o644 });
}

/** The content piece by piece. The file is written under a temporary name, so a wrong one never gets the real one. */
function* checkedContent(
  path: Buffer,
  hex: string,
  algorithm: VerityAlgorithm,
): Generator<Uint8Array, void, undefined> {
  const shown = path.toString('utf8');
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw cannotRead(shown, cause);
  }
  try {
    const hasher = createVerityHasher(algorithm);
    for (;;) {
      const buffer = Buffer.allocUnsafe(PIECE);
      const count = readSync(file, buffer);
      if (count === 0) break;
      hasher.update(buffer.subarray(0, count));
      yield buffer.subarray(0, count);
    }
    if (encodeHex(hasher.digest()) !== hex) {
      throw new BootsealError('fsverity/changed', `${shown} was changed while the image was made`);
    }
  } finally {
    closeSync(file);
  }
}

/** Whether the store has a regular file there. `path` is of an image, a byte a character, and must stay inside. */
export function isObjectThere(store: string, path: string): boolean {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.length === 0 || parts.includes('..') || path.includes('\0')) return false;
  const place = Buffer.concat([Buffer.from(`${store}/`), Buffer.from(parts.join('/'), 'latin1')]);
  return lstatSync(place, { throwIfNoEntry: false })?.isFile() ?? false;
}
