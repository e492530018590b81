/**
 * Layers with a table of contents have two views: a host may believe the table and fetch files by it, everybody else
 * reads the archive. A layer is taken only when both are the same, entry by entry and field by field: a digest over the
 * one would else vouch for the other.
 */
import { createHash } from 'node:crypto';
import { concatBytes } from '../bytes/bytes.ts';
import { digestParts } from '../formats/oci/digest.ts';
import { layerCompression } from '../formats/oci/media-types.ts';
import {
  ANNOTATIONS,
  ESTARGZ_ANNOTATION,
  FOOTER_SIZE,
  FRAME_HEADER,
} from '../formats/zstd-chunked/format.ts';
import {
  checkFooter,
  isFrameHeader,
  parseChunkedAnnotations,
  parseChunkedFooter,
  type ChunkedLayer,
  type Region,
} from '../formats/zstd-chunked/reader.ts';
import { parseTable, type ContentTable } from '../formats/zstd-chunked/table.ts';
import type { ZstdDecoder } from '../formats/zstd/ports.ts';
import { unzstd } from '../formats/zstd/reader.ts';
import type { LayerInput } from '../stores/image.ts';
import { keepRange, overlap } from './blob-range.ts';
import { createEstargzCheck } from './check-estargz.ts';
import { compareWithArchive, readable, refused, unreadable } from './toc-compare.ts';
import { createEntryLister, type ArchiveEntry } from './toc-entries.ts';
import type { TocCheck } from './toc-check.ts';

/**
 * Undefined for a layer without table. Throws `layer/two-tables`, `layer/toc-unreadable`, `layer/toc-not-zstd`, and from `end` also
 * `layer/toc-digest`, `layer/toc-outside`, `layer/toc-differs`; all of them exit 1.
 */
export function createTocCheck(
  layer: Pick<LayerInput, 'annotations' | 'size' | 'mediaType'>,
  zstd: ZstdDecoder,
): TocCheck | undefined {
  if (layer.annotations === undefined) return undefined;
  const estargz = layer.annotations[ESTARGZ_ANNOTATION];
  if (estargz !== undefined && layer.annotations[ANNOTATIONS.checksum] !== undefined) {
    throw refused('layer/two-tables', 'annotations name two tables of contents, of different formats');
  }
  if (estargz !== undefined) return createEstargzCheck(estargz);
  const chunked = readable(() => parseChunkedAnnotations(layer.annotations, layer.size));
  if (chunked === undefined) return undefined;
  if (layerCompression(layer.mediaType) !== 'zstd') {
    throw refused(
      'layer/toc-not-zstd',
      `annotations name a table of contents of zstd:chunked, and the layer is ${JSON.stringify(layer.mediaType)}`,
    );
  }

  // The table is held in memory, its frame header before it; of tar-split data only a digest is wanted.
  const { table, tarSplit } = chunked;
  const tableBytes = keepRange(table.offset - FRAME_HEADER, table.offset + table.length);
  const footer = keepRange(layer.size - FOOTER_SIZE - FRAME_HEADER, layer.size);
  const split = createHash('sha256');
  const splitHeader = keepRange((tarSplit?.offset ?? 0) - FRAME_HEADER, tarSplit?.offset ?? 0);
  let at = 0;
  const entries: ArchiveEntry[] = [];
  const lister = createEntryLister(entries);

  return {
    blob(bytes) {
      for (const range of [tableBytes, footer, splitHeader]) range.push(bytes, at);
      const part = tarSplit && overlap(bytes, at, tarSplit.offset, tarSplit.offset + tarSplit.length);
      if (part !== undefined) split.update(part);
      at += bytes.length;
    },
    archive: (bytes) => lister.push(bytes),
    async end() {
      // 1. The table lies in a frame that decoders skip: bytes of the archive are not read as a table too.
      const framed = tableBytes.bytes();
      const ending = readable(() => parseChunkedFooter(footer.bytes()));
      if (ending !== undefined) readable(() => checkFooter(ending, chunked));
      checkFrame(framed.subarray(0, FRAME_HEADER), table);
      if (tarSplit !== undefined) checkFrame(splitHeader.bytes(), tarSplit);
      // 2. Its digest, before anything in it is looked at.
      const compressed = framed.subarray(FRAME_HEADER);
      checkDigest(compressed, chunked);
      const decoded = await decodeTable(compressed, table, zstd);
      const content = readable(() => parseTable(decoded));
      // 3. What the table does not vouch for, nobody does.
      if (tarSplit !== undefined) checkTarSplit(content, split.digest('hex'));
      // 4. Both views.
      compareWithArchive(content, entries, 'nanoseconds');
    },
  };
}

function checkFrame(header: Uint8Array, region: Region): void {
  if (isFrameHeader(header, region)) return;
  throw refused(
    'layer/toc-outside',
    `offset ${region.offset} of the layer, where an annotation points, begins no frame of ${region.length} bytes`,
  );
}

function checkDigest(compressed: Uint8Array, { checksum }: ChunkedLayer): void {
  const { algorithm, hex } = digestParts(checksum);
  const actual = createHash(algorithm).update(compressed).digest('hex');
  if (actual === hex) return;
  throw refused('layer/toc-digest', `the table of contents is ${actual}, the annotation says ${checksum}`);
}

async function decodeTable(
  compressed: Uint8Array,
  { decodedLength }: Region,
  zstd: ZstdDecoder,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of unzstd(once(compressed), zstd)) {
      length += part.length;
      if (length > decodedLength) break;
      parts.push(Uint8Array.from(part));
    }
  } catch (error) {
    throw unreadable(error);
  }
  if (length === decodedLength) return concatBytes(parts);
  throw refused('layer/toc-unreadable', `the table of contents does not decode to ${decodedLength} bytes`);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

function checkTarSplit({ tarSplitDigest }: ContentTable, sha256: string): void {
  if (tarSplitDigest === `sha256:${sha256}`) return;
  throw refused(
    'layer/toc-outside',
    tarSplitDigest === undefined
      ? 'the table of contents has no digest for the tar-split data that an annotation names'
      : `the tar-split data is ${sha256}, the table of contents says ${tarSplitDigest}`,
  );
}
