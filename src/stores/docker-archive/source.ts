/** Reading an image from an archive of `docker save`, without unpacking it. */
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import {
  chooseImage,
  linkTarget,
  makeManifest,
  MANIFEST_FILE,
  MAX_ARCHIVE_MANIFEST,
  parseArchiveManifest,
  parseArchiveReference,
  type ArchivedImage,
  type ArchivedLayer,
} from '../../formats/docker-archive/reader.ts';
import { gunzip } from '../../formats/gzip/reader.ts';
import { MAX_CONFIG_SIZE, parseConfig } from '../../formats/oci/config.ts';
import { digestOf, type Digest } from '../../formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../formats/oci/media-types.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import { writeAll } from '../atomic-write.ts';
import { checkedBlob, checkedForReader, readAll, tooLarge } from '../checked-blob.ts';
import { cannotRead } from '../file-errors.ts';
import type { ImageSource, ManifestBlob, PlainLayer, ReadOptions } from '../image.ts';
import { indexTar, type ArchivedFile } from '../oci-archive/tar-index.ts';
import { openRegular, readRange } from '../oci-layout/files.ts';

type ArchiveName = Extract<ImageName, { readonly transport: 'docker-archive' }>;

/** Bytes, decoded: an archive or a layer of more is a bomb. */
const MAX_PLAIN = 256 * 1024 ** 3;

/** Throws `docker-archive/…`, `oci/bad-archive`, `tar/…`, `gzip/…`, `file/cannot-read`. */
export async function openDockerArchiveSource(name: ArchiveName, signal?: AbortSignal): Promise<ImageSource> {
  const choice = parseArchiveReference(name.reference);
  const archive = await openArchive(name.path, signal);
  try {
    const images = parseArchiveManifest(await archive.small(MANIFEST_FILE, MAX_ARCHIVE_MANIFEST));
    const image = chooseImage(images, choice);
    const config = await archive.small(image.config, MAX_CONFIG_SIZE);
    const layers = await plainLayers(archive, image, config, signal);
    const bytes = makeManifest(config, layers);
    const top: ManifestBlob = { bytes, digest: digestOf(bytes), mediaType: MEDIA_TYPES.dockerManifest };
    const configDigest = digestOf(config);
    const plain = (diffId: Digest): PlainLayer => {
      const layer = layers.find((each) => each.diffId === diffId);
      if (layer !== undefined) return layer;
      throw new BootsealError('store/blob-missing', `${diffId} is not in the archive`, { where: name.path });
    };
    return {
      name,
      topManifest: () => Promise.resolve(top),
      manifest(digest) {
        if (digest === top.digest) return Promise.resolve(top);
        return Promise.reject(
          new BootsealError('store/blob-missing', `manifest ${digest} is not in the archive`, {
            where: name.path,
          }),
        );
      },
      blob(descriptor, options = {}) {
        if (descriptor.digest === configDigest) return checkedBlob(descriptor, [config]);
        return plain(descriptor.digest).open(options);
      },
      plainLayer: (diffId) => Promise.resolve(plain(diffId)),
      close: () => archive.close(),
    };
  } catch (error) {
    await archive.close();
    throw isBootsealError(error) ? withDetails(error, { where: name.path }) : error;
  }
}

/** In the order of the image. */
async function plainLayers(
  archive: Archive,
  image: ArchivedImage,
  configBytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<(PlainLayer & ArchivedLayer)[]> {
  const { diffIds } = parseConfig(configBytes);
  if (diffIds.length !== image.layers.length) {
    throw new BootsealError(
      'image/layer-count',
      `Inconsistent layer count: ${diffIds.length} in config, ${image.layers.length} in manifest`,
      { exit: 1 },
    );
  }
  const sizes = new Map<string, number>();
  const layers: (PlainLayer & ArchivedLayer)[] = [];
  for (const [at, path] of image.layers.entries()) {
    const size = sizes.get(path) ?? (await archive.plainSize(path, signal));
    sizes.set(path, size);
    const digest = diffIds[at];
    layers.push({
      diffId: digest,
      size,
      open: (options = {}) => checkedForReader({ digest, size }, archive.plain(path, options), options),
    });
  }
  return layers;
}

interface Archive {
  /** A small file of the archive, whole. */
  small(path: string, limit: number): Promise<Uint8Array>;
  /** A layer, decoded where it is compressed. */
  plain(path: string, options: ReadOptions): AsyncIterable<Uint8Array>;
  /** Bytes of that: from the header, or by decoding it once. */
  plainSize(path: string, signal: AbortSignal | undefined): Promise<number>;
  close(): Promise<void>;
}

async function openArchive(path: string, signal: AbortSignal | undefined): Promise<Archive> {
  const tar = await openPlainTar(path, signal);
  const { file } = tar;
  try {
    const links = new Map<string, string>();
    const index = await indexTar(file, links);
    const find = (inner: string): ArchivedFile => {
      // The old layout links a layer that several images share. One step, as containers/image follows it.
      const target = links.get(inner);
      const found = index.get(target === undefined ? inner : linkTarget(inner, target));
      if (found !== undefined) return found;
      throw new BootsealError(
        'docker-archive/malformed',
        `the archive has no ${JSON.stringify(inner.slice(0, 200))}`,
        {
          hint: 'the archive is incomplete, or in OCI layout, which oci-archive: reads',
        },
      );
    };
    const isGzip = async ({ offset, size }: ArchivedFile): Promise<boolean> => {
      const head = Buffer.alloc(Math.min(2, size));
      await file.read(head, 0, head.length, offset);
      return head.length === 2 && head[0] === 0x1f && head[1] === 0x8b;
    };
    async function* plain(inner: string, options: ReadOptions): AsyncGenerator<Uint8Array, void, undefined> {
      const entry = find(inner);
      const raw = readRange(file, entry.offset, entry.size, options.signal, false, options.reuseChunks);
      yield* (await isGzip(entry)) ? bounded(gunzip(raw)) : raw;
    }
    return {
      small(inner, limit) {
        const { offset, size } = find(inner);
        if (size > limit) throw tooLarge(inner, limit);
        return readAll(readRange(file, offset, size, signal, false), limit, inner);
      },
      plain,
      async plainSize(inner, stop) {
        const entry = find(inner);
        if (!(await isGzip(entry))) return entry.size;
        let size = 0;
        for await (const part of plain(inner, { reuseChunks: true, ...(stop && { signal: stop }) }))
          size += part.length;
        return size;
      },
      close: () => tar.close(),
    };
  } catch (error) {
    await tar.close();
    throw error;
  }
}

/** The archive itself, or a decoded copy of one that is compressed: tar is read here and there, gzip only from its start. */
async function openPlainTar(
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ readonly file: FileHandle; close(): Promise<void> }> {
  const file = await openRegular(path);
  if (file === undefined) throw cannotRead(path, 'no such file');
  const head = Buffer.alloc(2);
  await file.read(head, 0, 2, 0);
  if (head[0] !== 0x1f || head[1] !== 0x8b) return { file, close: () => file.close() };
  const folder = await mkdtemp(join(tmpdir(), 'bootseal-archive-'));
  try {
    const copy = await open(join(folder, 'tar'), 'wx+', 0o600);
    try {
      const { size } = await file.stat();
      for await (const part of bounded(gunzip(readRange(file, 0, size, signal, false, true))))
        await writeAll(copy, part);
      return { file: copy, close: () => copy.close() };
    } catch (error) {
      await copy.close();
      throw error;
    }
  } finally {
    await file.close();
    // The open file lives on without its name, and goes with us however we end.
    await rm(folder, { recursive: true, force: true });
  }
}

async function* bounded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let length = 0;
  for await (const part of bytes) {
    length += part.length;
    if (length > MAX_PLAIN) throw tooLarge('decoded archive', MAX_PLAIN);
    yield part;
  }
}
