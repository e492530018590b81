/** A layer made in memory: tar entries to a gzip blob, with both digests. Deterministic. */
import { createHash } from 'node:crypto';
import { partsLength, type Parts } from '../bytes/rope.ts';
import { gzipStored } from '../formats/gzip/stored.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { AddedLayer } from '../formats/oci/extend.ts';
import type { TarEntry } from '../formats/tar/format.ts';
import { encodeTarHeader, TAR_END, tarPadding } from '../formats/tar/writer.ts';

export interface LayerFile {
  /** Its `size` is taken from `content`. */
  readonly entry: TarEntry;
  readonly content?: Parts;
}

export interface NewLayer {
  readonly added: AddedLayer;
  /** The uncompressed tar. */
  readonly tar: Parts;
  /** What is stored: gzip. */
  readonly blob: Parts;
}

export function makeLayer(files: readonly LayerFile[], createdBy: string): NewLayer {
  const tar = [...tarOf(files)];
  const blob = [...gzipStored(tar)];
  const added: AddedLayer = { digest: sha256(blob), size: partsLength(blob), diffId: sha256(tar), createdBy };
  return { added, tar, blob };
}

function* tarOf(files: readonly LayerFile[]): Generator<Uint8Array, void, undefined> {
  for (const { entry, content = [] } of files) {
    const size = partsLength(content);
    yield encodeTarHeader({ ...entry, size });
    yield* content;
    yield tarPadding(size);
  }
  yield TAR_END;
}

function sha256(parts: Parts): Digest {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return `sha256:${hash.digest('hex')}`;
}
