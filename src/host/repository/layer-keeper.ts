/** Keeps layers in a repository while they are read: their large files as objects, the rest as one split stream each. */
import { encodeHex } from '../../bytes/hex.ts';
import type { LayerObserver } from '../../composefs/from-layers.ts';
import { createLayerSplitter, type LayerSplitter } from '../../composefs/split-layer.ts';
import { streamName } from '../../formats/composefs-repo/names.ts';
import { objectFile } from '../../formats/composefs-repo/names.ts';
import { createVerityHasher, verityDigest, type VerityHasher } from '../../formats/fsverity/digest.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import { CONTENT_TYPES, type SplitChunk } from '../../formats/splitstream/format.ts';
import { encodeSplitStream } from '../../formats/splitstream/writer.ts';
import type { LayerInput } from '../../stores/image.ts';
import type { ComposefsRepo } from '../../stores/composefs-repo/repository.ts';
import type { Staging } from '../../stores/composefs-repo/staging.ts';

export interface LayerKeeper extends LayerObserver {
  /** diffID → digest of the object that holds its stream. */
  readonly streams: ReadonlyMap<Digest, string>;
  readonly counts: { objects: number; bytes: number };
}

export function createLayerKeeper(repo: ComposefsRepo, staging: Staging): LayerKeeper {
  const { algorithm } = repo.meta;
  const streams = new Map<Digest, string>();
  const counts = { objects: 0, bytes: 0 };
  let layer: LayerInput | undefined;
  let splitter: LayerSplitter | undefined;
  let chunks: SplitChunk[] = [];
  let inline: Uint8Array[] = [];
  let contentSize = 0;
  let hasher: VerityHasher | undefined;
  let staged = new Map<number, string>();

  function flushInline(): void {
    if (inline.length > 0) chunks.push({ kind: 'inline', bytes: Buffer.concat(inline) });
    inline = [];
  }

  return {
    streams,
    counts,
    begin(next) {
      layer = next;
      chunks = [];
      inline = [];
      contentSize = 0;
      staged = new Map();
      splitter = createLayerSplitter({
        inline: (bytes) => void inline.push(new Uint8Array(bytes)),
        beginObject() {
          flushInline();
          hasher = createVerityHasher(algorithm);
          staging.begin();
        },
        object(bytes) {
          hasher?.update(bytes);
          staging.write(bytes);
          counts.bytes += bytes.length;
        },
        endObject() {
          const digest = encodeHex(hasher!.digest());
          staged.set(staging.end(), digest);
          chunks.push({ kind: 'object', digest });
          counts.objects += 1;
        },
      });
    },
    chunk(bytes) {
      contentSize += bytes.length;
      splitter?.push(bytes);
    },
    async verified() {
      flushInline();
      const { diffId } = layer!;
      // 1. The stream is an object itself.
      const stream = encodeSplitStream({
        algorithm,
        contentType: CONTENT_TYPES.layer,
        contentSize,
        namedRefs: new Map(),
        chunks,
      });
      const digest = encodeHex(verityDigest(stream, algorithm));
      staged.set(staging.add(stream), digest);
      // 2. Contents, then the name: under the diffID that these bytes have, whatever an image may claim.
      await staging.commit(staged);
      await staging.link(`streams/${streamName('layer', diffId)}`, objectFile(digest));
      streams.set(diffId, digest);
      chunks = [];
    },
  };
}
