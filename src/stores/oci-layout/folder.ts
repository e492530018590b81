/** The folder of a layout that is being written: blobs by digest, and memory of what was added. */
import { createHash } from 'node:crypto';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BootsealError } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { digestParts, type Digest } from '../../formats/oci/digest.ts';
import { blobPath, INDEX_FILE, LAYOUT_DOCUMENT, LAYOUT_FILE } from '../../formats/oci/layout.ts';
import { removeLeftovers, writeFileAtomic, type ByteParts } from '../atomic-write.ts';
import type { BlobHasher } from '../blob-hasher/inline.ts';
import { cannotWrite, systemCode } from '../file-errors.ts';
import { checkedBlob, readAll, tooLarge } from '../checked-blob.ts';
import { folderFiles } from './files.ts';
import { withLock } from '../file-lock.ts';
import { claimPartial, finishPartial } from './partial.ts';

export interface LayoutFolder {
  /** True once anything was written. */
  readonly touched: boolean;
  /** True when the blob is there and its bytes are right; a damaged one will be written again. */
  has(descriptor: Descriptor): Promise<boolean>;
  exists(digest: Digest): Promise<boolean>;
  put(descriptor: Descriptor, bytes: ByteParts): Promise<void>;
  /** A small file, or undefined when it is not there. */
  /** As `put`, going on where a killed process stopped. */
  resume(descriptor: Descriptor, rest: (offset: number) => AsyncIterable<Uint8Array>): Promise<void>;
  read(path: string, limit: number): Promise<Uint8Array | undefined>;
  readBlob(digest: Digest, limit: number): Promise<Uint8Array | undefined>;
  /** Throws `store/blob-missing` unless each is there with its size. */
  demand(descriptors: readonly Descriptor[]): Promise<void>;
  writeIndex(bytes: Uint8Array): Promise<void>;
  locked<T>(work: () => Promise<T>): Promise<T>;
  removeWritten(isNeeded: (digest: Digest) => boolean, withMarker: boolean): Promise<void>;
  removeMadeFolders(): Promise<void>;
}

export function openFolder(root: string, hasher?: BlobHasher): LayoutFolder {
  const files = folderFiles(root);
  /** Outermost first. */
  const madeFolders: string[] = [];
  const written = new Set<Digest>();
  const swept = new Set<string>();
  let marking: Promise<void> | undefined;
  let madeMarker = false;
  let touched = false;

  async function makeFolder(path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    // mkdir tells the outermost folder it made; all between are ours too.
    const outermost = resolve(first);
    const made: string[] = [];
    for (let at = resolve(path); at.length > outermost.length; at = dirname(at)) made.unshift(at);
    madeFolders.push(outermost);
    madeFolders.push(...made);
  }

  async function prepare(folder: string): Promise<void> {
    touched = true;
    try {
      await makeFolder(root);
      // Several blobs that come at once need it once.
      await (marking ??= writeMarker().finally(() => (marking = undefined)));
      await makeFolder(folder);
      if (!swept.has(folder)) await removeLeftovers(folder);
      swept.add(folder);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      throw cannotWrite(root, error);
    }
  }

  async function writeMarker(): Promise<void> {
    if (await isThere(LAYOUT_FILE)) return;
    await writeFileAtomic(join(root, LAYOUT_FILE), [LAYOUT_DOCUMENT]);
    madeMarker = true;
  }

  async function isThere(path: string): Promise<boolean> {
    const file = await files.open(path);
    await file?.close();
    return file !== undefined;
  }

  async function read(path: string, limit: number): Promise<Uint8Array | undefined> {
    const file = await files.open(path);
    if (file === undefined) return undefined;
    if (file.size <= limit) return readAll(file.bytes, limit, path);
    await file.close();
    throw tooLarge(path, limit);
  }

  return {
    get touched() {
      return touched;
    },
    async has(descriptor) {
      const file = await files.open(blobPath(descriptor.digest));
      if (file === undefined) return false;
      if (file.size !== descriptor.size) {
        await file.close();
        return false;
      }
      const { algorithm, hex } = digestParts(descriptor.digest);
      const hash = createHash(algorithm);
      for await (const part of file.bytes) hash.update(part);
      return hash.digest('hex') === hex;
    },
    exists: (digest) => isThere(blobPath(digest)),
    async put(descriptor, bytes) {
      const path = join(root, blobPath(descriptor.digest));
      await prepare(dirname(path));
      await writeFileAtomic(path, checkedBlob(descriptor, bytes, hasher));
      written.add(descriptor.digest);
    },
    async resume(descriptor, rest) {
      const path = join(root, blobPath(descriptor.digest));
      // What is left is looked for before leftovers are swept.
      const started = await claimPartial(path, descriptor.size);
      if (started !== undefined) touched = true;
      if (started === undefined || !(await finishPartial(started, path, descriptor, rest, hasher))) {
        await prepare(dirname(path));
        await writeFileAtomic(path, checkedBlob(descriptor, rest(0), hasher));
      }
      written.add(descriptor.digest);
    },
    read,
    readBlob: (digest, limit) => read(blobPath(digest), limit),
    async demand(descriptors) {
      for (const descriptor of descriptors) {
        const file = await files.open(blobPath(descriptor.digest));
        await file?.close();
        if (file?.size === descriptor.size) continue;
        throw new BootsealError('store/blob-missing', `blob ${descriptor.digest} is not in the layout`, {
          hint: 'another command removed it meanwhile; run this one again',
        });
      }
    },
    writeIndex: (bytes) => writeFileAtomic(join(root, INDEX_FILE), [bytes]),
    async locked(work) {
      await prepare(root);
      return withLock(join(root, '.index.lock'), work);
    },
    async removeWritten(isNeeded, withMarker) {
      for (const digest of written) {
        if (!isNeeded(digest)) await rm(join(root, blobPath(digest)), { force: true });
      }
      written.clear();
      if (withMarker && madeMarker) await rm(join(root, LAYOUT_FILE), { force: true });
    },
    async removeMadeFolders() {
      for (const folder of madeFolders.toReversed()) {
        // Another process may have put something there: then it stays.
        await rmdir(folder).catch(() => undefined);
      }
    },
  };
}
