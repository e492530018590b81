/** Reading an image from a folder of plain files, containers-transports(5) `dir:`. */
import { join } from 'node:path';
import { BootsealError } from '../../errors.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { digestOf, digestParts, type Digest } from '../../formats/oci/digest.ts';
import { MAX_MANIFEST_SIZE, parseManifest } from '../../formats/oci/manifest.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import { checkedForReader, digestMismatch, readAll, sizeMismatch, tooLarge } from '../checked-blob.ts';
import type { ImageSource, ManifestBlob, ReadOptions } from '../image.ts';
import { openRegular, readRange } from '../oci-layout/files.ts';
import {
  blobName,
  instanceName,
  MANIFEST_NAME,
  signatureName,
  VERSION_NAME,
  VERSION_PREFIX,
} from './format.ts';

type DirName = Extract<ImageName, { readonly transport: 'dir' }>;

/** 4 MiB for each signature and 127 of them, as containers/image bounds what it fetches from a look-aside server. */
const MAX_SIGNATURE_SIZE = 4 * 1024 * 1024;
const MAX_SIGNATURES = 127;

/** Throws `dir/bad-folder`, `oci/bad-manifest`, `store/too-large`, `file/cannot-read`. */
export async function openDirSource(name: DirName, signal?: AbortSignal): Promise<ImageSource> {
  const { path } = name;
  await checkVersion(path);
  const bytes = await readSmall(path, MANIFEST_NAME, MAX_MANIFEST_SIZE);
  if (bytes === undefined)
    throw new BootsealError('dir/bad-folder', `${path} has no ${MANIFEST_NAME}`, {
      hint: 'a dir: image holds version, manifest.json and one file for each blob',
      where: path,
    });
  const top = { bytes, digest: digestOf(bytes), mediaType: parseManifest(bytes).mediaType };
  return {
    name,
    topManifest: () => Promise.resolve(top),
    manifest: (digest) => (digest === top.digest ? Promise.resolve(top) : readInstance(path, digest)),
    blob: (descriptor, options) => readBlob(path, descriptor, options ?? { ...(signal && { signal }) }),
    storedSignatures: (digest) => readSignatures(path, digest === top.digest ? undefined : digest),
    close: () => Promise.resolve(),
  };
}

/** skopeo writes the version; older folders have none. */
async function checkVersion(path: string): Promise<void> {
  const version = await readSmall(path, VERSION_NAME, 4096);
  if (version === undefined || Buffer.from(version).toString('latin1').startsWith(VERSION_PREFIX)) return;
  throw new BootsealError('dir/bad-folder', `${VERSION_NAME} is not that of a dir: image`, {
    hint: 'a dir: image holds version, manifest.json and one file for each blob',
    where: path,
  });
}

async function readInstance(path: string, digest: Digest): Promise<ManifestBlob> {
  const bytes = await readSmall(path, instanceName(digest), MAX_MANIFEST_SIZE);
  if (bytes === undefined) throw missing(path, digest);
  const actual = digestOf(bytes, digestParts(digest).algorithm);
  if (actual !== digest) throw digestMismatch(digest, actual);
  return { bytes, digest, mediaType: parseManifest(bytes).mediaType };
}

async function* readBlob(
  path: string,
  descriptor: Descriptor,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await openRegular(join(path, blobName(descriptor.digest)));
  if (file === undefined) throw missing(path, descriptor.digest);
  const { size } = await file.stat();
  if (size !== descriptor.size) {
    await file.close();
    throw sizeMismatch(descriptor, String(size));
  }
  const bytes = readRange(file, 0, size, options.signal, true, options.reuseChunks);
  yield* checkedForReader(descriptor, bytes, options);
}

async function readSignatures(path: string, instance: Digest | undefined): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for (let number = 1; ; number += 1) {
    const signature = await readSmall(path, signatureName(number, instance), MAX_SIGNATURE_SIZE);
    if (signature === undefined) return found;
    if (number > MAX_SIGNATURES) throw tooLarge('list of signatures', MAX_SIGNATURES);
    found.push(signature);
  }
}

async function readSmall(folder: string, name: string, limit: number): Promise<Uint8Array | undefined> {
  const file = await openRegular(join(folder, name));
  if (file === undefined) return undefined;
  const { size } = await file.stat();
  if (size <= limit) return readAll(readRange(file, 0, size, undefined, true), limit, name);
  await file.close();
  throw tooLarge(name, limit);
}

function missing(path: string, digest: Digest): BootsealError {
  return new BootsealError('store/blob-missing', `${digest} is not in the folder`, {
    hint: 'the image is incomplete; copy it again',
    where: path,
  });
}
