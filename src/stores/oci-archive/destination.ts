/** Writing an image into a tar of an OCI layout. The file appears under its name at commit, whole. */
import { rm, open, type FileHandle } from 'node:fs/promises';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { digestOf, digestParts, type Digest } from '../../formats/oci/digest.ts';
import { blobPath, INDEX_FILE, LAYOUT_DOCUMENT, LAYOUT_FILE, setEntry } from '../../formats/oci/layout.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import { encodeTarHeader, TAR_END, tarPadding } from '../../formats/tar/writer.ts';
import { openBlobHasher } from '../blob-hasher/hasher.ts';
import { moveInto, temporaryName, writeAll } from '../atomic-write.ts';
import { flushEarly } from '../early-flush.ts';
import { cannotWrite, systemCode } from '../file-errors.ts';
import { checkedBlob, digestMismatch, noManifest } from '../checked-blob.ts';
import type { ImageDestination, ManifestBlob } from '../image.ts';
import { refusePlace } from '../oci-layout/destination.ts';

type ArchiveName = Extract<ImageName, { readonly transport: 'oci' | 'oci-archive' }>;

/** An existing archive is replaced, as skopeo does: an archive holds what one copy put into it. */
export async function openArchiveDestination(name: ArchiveName): Promise<ImageDestination> {
  refusePlace(name);
  const archive = await openArchive(name.path);
  const hasher = openBlobHasher();
  const written = new Set<Digest>();
  let top: Descriptor | undefined;

  async function put(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    await archive.add(
      blobPath(descriptor.digest),
      descriptor.size,
      checkedBlob(descriptor, bytes, hasher),
      () => written.has(descriptor.digest),
    );
    written.add(descriptor.digest);
  }

  async function putManifest(manifest: ManifestBlob): Promise<Descriptor> {
    const { algorithm } = digestParts(manifest.digest);
    const actual = digestOf(manifest.bytes, algorithm);
    if (actual !== manifest.digest) throw digestMismatch(manifest.digest, actual);
    const descriptor = {
      mediaType: manifest.mediaType,
      digest: manifest.digest,
      size: manifest.bytes.length,
    };
    await put(descriptor, once(manifest.bytes));
    return descriptor;
  }

  return {
    name,
    hasBlob: (descriptor) => Promise.resolve(written.has(descriptor.digest)),
    putBlob: put,
    async putInstance(manifest) {
      await putManifest(manifest);
    },
    async putTopManifest(manifest) {
      top = await putManifest(manifest);
    },
    async commit() {
      if (top === undefined) throw noManifest();
      const index = setEntry(undefined, top, name.image);
      await archive.add(INDEX_FILE, index.length, once(index));
      await archive.add(LAYOUT_FILE, LAYOUT_DOCUMENT.length, once(LAYOUT_DOCUMENT));
      await archive.finish();
    },
    async abort() {
      await hasher.close();
      await archive.discard();
    },
  };
}

interface Archive {
  /** Appends a file, unless `skip` says so when its turn comes. A failure leaves the archive as it was before. */
  add(path: string, size: number, bytes: AsyncIterable<Uint8Array>, skip?: () => boolean): Promise<void>;
  finish(): Promise<void>;
  discard(): Promise<void>;
}

async function openArchive(path: string): Promise<Archive> {
  const temporary = temporaryName(path);
  const file = await create(temporary, path);
  const early = flushEarly(file);
  let length = 0;
  let open = true;
  /** Files go in one after the other, whoever asks for them at the same time. */
  let turn: Promise<unknown> = Promise.resolve();

  async function append(name: string, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const start = length;
    try {
      const header = encodeTarHeader({
        path: name,
        type: 'file',
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: EPOCH,
        size,
      });
      await write(header);
      for await (const part of bytes) await write(part);
      await write(tarPadding(size));
    } catch (error) {
      length = start;
      await file.truncate(start);
      throw error;
    }
  }

  async function write(bytes: Uint8Array): Promise<void> {
    await writeAll(file, bytes, length);
    length += bytes.length;
    early.wrote(bytes.length);
  }

  async function close(): Promise<void> {
    if (!open) return;
    open = false;
    await early.settled();
    await file.close();
  }

  return {
    add(name, size, bytes, skip) {
      const mine = turn.then(() => (skip?.() === true ? undefined : append(name, size, bytes)));
      turn = mine.catch(() => undefined);
      return mine;
    },
    async finish() {
      await write(TAR_END);
      await early.finish();
      await close();
      await moveInto(temporary, path, true);
    },
    async discard() {
      await turn;
      await close();
      await rm(temporary, { force: true });
    },
  };
}

const EPOCH = { seconds: 0n, nanos: 0 };

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield await Promise.resolve(bytes);
}

async function create(temporary: string, path: string): Promise<FileHandle> {
  try {
    return await open(temporary, 'wx', 0o644);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw cannotWrite(path, error);
  }
}
