/**
 * Writing an image into a folder of plain files, containers-transports(5) `dir:`. The image is made in a folder
 * beside it, which takes its place at commit; an image that was there before goes only then.
 */
import { constants } from 'node:fs';
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BootsealError } from '../../errors.ts';
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { digestOf, digestParts, type Digest } from '../../formats/oci/digest.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import { syncFolder, temporaryName, writeFileAtomic } from '../atomic-write.ts';
import { openBlobHasher } from '../blob-hasher/hasher.ts';
import { asWriteError, cannotWrite, systemCode } from '../file-errors.ts';
import { checkedBlob, digestMismatch, noManifest } from '../checked-blob.ts';
import type { ImageDestination, ManifestBlob } from '../image.ts';
import {
  blobName,
  instanceName,
  isOwnName,
  MANIFEST_NAME,
  signatureName,
  VERSION_NAME,
  VERSION_TEXT,
} from './format.ts';

type DirName = Extract<ImageName, { readonly transport: 'dir' }>;

/** Throws `dir/bad-folder` when the folder holds something else than a `dir:` image. */
export async function openDirDestination(name: DirName): Promise<ImageDestination> {
  const target = resolve(name.path);
  await checkTarget(target);
  const making = temporaryName(target);
  const hasher = openBlobHasher();
  const written = new Set<Digest>();
  let top: ManifestBlob | undefined;
  /** Several blobs may arrive at once: the folder is made once. */
  let made: Promise<void> | undefined;

  async function put(file: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    await (made ??= makeFolder(making, target));
    await writeFileAtomic(join(making, file), bytes);
  }

  async function putManifest(manifest: ManifestBlob, file: string): Promise<void> {
    const actual = digestOf(manifest.bytes, digestParts(manifest.digest).algorithm);
    if (actual !== manifest.digest) throw digestMismatch(manifest.digest, actual);
    await put(file, [manifest.bytes]);
  }

  return {
    name,
    hasBlob: (descriptor) => Promise.resolve(written.has(descriptor.digest)),
    async putBlob(descriptor, bytes) {
      await put(blobName(descriptor.digest), checkedBlob(descriptor, bytes, hasher));
      written.add(descriptor.digest);
    },
    putInstance: (manifest) => putManifest(manifest, instanceName(manifest.digest)),
    async putTopManifest(manifest) {
      await putManifest(manifest, MANIFEST_NAME);
      top = manifest;
    },
    async putSignatures(digest, signatures) {
      const instance = top === undefined || digest === top.digest ? undefined : digest;
      for (const [at, signature] of signatures.entries())
        await put(signatureName(at + 1, instance), [signature]);
    },
    async commit() {
      if (top === undefined) throw noManifest();
      await put(VERSION_NAME, [encodeUtf8(VERSION_TEXT)]);
      await swap(making, target);
    },
    async abort() {
      await hasher.close();
      await rm(making, { recursive: true, force: true });
    },
  };
}

/** A folder that holds anything but a `dir:` image is refused. */
async function checkTarget(target: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(target);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return;
    throw cannotWrite(target, error);
  }
  const stranger = names.find((name) => !isOwnName(name));
  if (names.length === 0) return;
  if (stranger === undefined && names.includes(MANIFEST_NAME)) return;
  throw new BootsealError('dir/bad-folder', `${target} is not empty and holds no dir: image`, {
    hint:
      stranger === undefined
        ? 'give another path'
        : `it holds ${JSON.stringify(stranger)}; give another path`,
    exit: 2,
  });
}

async function makeFolder(making: string, target: string): Promise<void> {
  try {
    await access(dirname(target), constants.W_OK);
    await mkdir(making);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw cannotWrite(target, error);
  }
}

/** Each round is lost only to another writer who finished meanwhile. */
const MAX_SWAPS = 10;

/**
 * One rename, or two where there is an image already: a kill between them leaves the old one beside, under a `.tmp`
 * name. Another writer may put its image there meanwhile; the last one stays.
 */
async function swap(making: string, target: string): Promise<void> {
  await syncFolder(making);
  for (let attempt = 1; attempt <= MAX_SWAPS; attempt += 1) {
    if (await moved(making, target)) return syncFolder(dirname(target));
    const old = temporaryName(target);
    if (!(await moved(target, old))) continue;
    const done = await moved(making, target);
    // Not done: the old image goes back, unless another writer's is there already.
    if (done || !(await moved(old, target))) await rm(old, { recursive: true, force: true });
    if (done) return syncFolder(dirname(target));
  }
  throw new BootsealError('file/cannot-write', `cannot write ${target}: others keep writing it`, {
    hint: 'run one copy to this folder at a time',
  });
}

/** False when the target is taken, or the source gone: another writer was there. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) return false;
    throw asWriteError(error, to);
  }
}
