/**
 * A large OCI image made from nothing but a number: the same bytes at every run, about as compressible as a real
 * one, with the sizes of real files (many small, few large).
 */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { once } from 'node:events';
import { encodeTarHeader, TAR_END, tarPadding } from '../../src/formats/tar/writer.ts';
import type { TarEntry } from '../../src/formats/tar/format.ts';

export interface BigImage {
  /** Folder of the OCI layout. */
  readonly layout: string;
  /** Compressed layers, and the same plain. */
  readonly blobs: readonly string[];
  readonly tars: readonly string[];
  readonly plainBytes: number;
  /** Compressed. */
  readonly blobBytes: number;
  readonly files: number;
}

const LAYERS = 3;
const MTIME = { seconds: 1_700_000_000n, nanos: 0 };

/** Numbers from 0 to 2^32 − 1: xorshift32, which never comes to 0. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Words and noise in turn: gzip gets it to somewhat under half. */
function makeCorpus(next: () => number): Buffer {
  const corpus = Buffer.alloc(16 * 1024 * 1024);
  const words = Array.from({ length: 1024 }, () => (next() % 36 ** 6).toString(36).slice(next() % 4));
  for (let at = 0; at < corpus.length;) {
    const end = Math.min(at + 2048 + (next() % 6144), corpus.length);
    if (next() % 8 === 0) for (; at < end; at++) corpus[at] = next() >>> 8;
    else while (at < end) at += corpus.write(`${words[next() % words.length]} `, at, 'latin1') || end - at;
  }
  return corpus;
}

/** `scale` multiplies the size of every file. */
export async function makeBigImage(
  folder: string,
  files: number,
  bytes: number,
  scale: number,
  layerCount: number = LAYERS,
): Promise<BigImage> {
  const next = numbersFrom(0x5eed);
  const corpus = makeCorpus(next);
  const layout = join(folder, 'image');
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true });
  const blob = (digest: string): string => join(layout, 'blobs', digest.replace(':', '/'));
  const tars: string[] = [];
  const layers: { mediaType: string; digest: string; size: number }[] = [];
  const diffIds: string[] = [];
  let plainBytes = 0;
  for (let layer = 0; layer < layerCount; layer++) {
    const tar = join(folder, `layer-${layer}.tar`);
    const compressed = join(folder, `layer-${layer}.tar.gz`);
    const written = await writeLayer(
      tar,
      compressed,
      layerParts(layer, files / layerCount, bytes / layerCount, scale, next, corpus),
    );
    renameSync(compressed, blob(written.digest));
    tars.push(tar);
    layers.push({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: written.digest,
      size: written.size,
    });
    diffIds.push(written.diffId);
    plainBytes += written.plain;
  }
  const put = (value: unknown): { digest: string; size: number } => {
    const text = JSON.stringify(value);
    const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
    writeFileSync(blob(digest), text);
    return { digest, size: text.length };
  };
  const config = put({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } });
  const manifest = put({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers,
  });
  const annotations = { 'org.opencontainers.image.ref.name': 'big' };
  const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...manifest, annotations };
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const blobBytes = layers.reduce((sum, { size }) => sum + size, 0);
  return { layout, blobs: layers.map(({ digest }) => blob(digest)), tars, plainBytes, blobBytes, files };
}

function* layerParts(
  layer: number,
  files: number,
  bytes: number,
  scale: number,
  next: () => number,
  corpus: Buffer,
): Generator<Uint8Array, void, undefined> {
  const entry = (path: string, type: TarEntry['type'], more: Partial<TarEntry> = {}): Uint8Array =>
    encodeTarHeader({
      path,
      type,
      mode: type === 'directory' ? 0o755 : 0o644,
      uid: 0,
      gid: 0,
      mtime: MTIME,
      ...more,
    });
  if (layer === 0)
    for (const name of ['', 'usr', 'usr/lib', 'boot', 'sysroot']) yield entry(name, 'directory');
  const count = Math.floor(files);
  // One file in fifty takes half of the bytes, the others share the rest.
  const large = (bytes / files) * 25;
  const small = (bytes / files) * 0.51;
  for (let file = 0; file < count; file++) {
    if (file % 100 === 0) yield entry(`usr/lib/${layer}-${Math.floor(file / 100)}`, 'directory');
    const average = file % 50 === 0 ? large : small;
    const size = Math.floor((average * (next() % 2000)) / 1000) * scale;
    yield entry(`usr/lib/${layer}-${Math.floor(file / 100)}/file-${file}`, 'file', { size });
    for (let left = size; left > 0;) {
      const start = next() % (corpus.length - 65536);
      const length = Math.min(left, 65536);
      yield corpus.subarray(start, start + length);
      left -= length;
    }
    yield tarPadding(size);
  }
  yield TAR_END;
}

async function writeLayer(
  tarPath: string,
  gzipPath: string,
  parts: Iterable<Uint8Array>,
): Promise<{ digest: string; diffId: string; size: number; plain: number }> {
  const [tar, gz] = [openSync(tarPath, 'w'), openSync(gzipPath, 'w')];
  const [plainHash, blobHash] = [createHash('sha256'), createHash('sha256')];
  let [plain, size] = [0, 0];
  const gzip = createGzip({ level: 3, chunkSize: 262_144 });
  gzip.on('data', (chunk: Buffer) => {
    blobHash.update(chunk);
    size += writeSync(gz, chunk);
  });
  for (const part of parts) {
    plainHash.update(part);
    plain += writeSync(tar, part);
    if (!gzip.write(part)) await once(gzip, 'drain');
  }
  gzip.end();
  await once(gzip, 'end');
  closeSync(tar);
  closeSync(gz);
  return {
    digest: `sha256:${blobHash.digest('hex')}`,
    diffId: `sha256:${plainHash.digest('hex')}`,
    size,
    plain,
  };
}
