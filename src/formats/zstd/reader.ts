/** Decodes a zstd stream: every frame, skippable frames left out, nothing after the last. */
import { createFrameWalker, type FramePiece } from './frames.ts';
import type { ZstdDecoder } from './ports.ts';

/** The decoded bytes. Throws what the frame walker, the decoder and `source` throw. */
export async function* unzstd(
  source: AsyncIterable<Uint8Array>,
  decoder: ZstdDecoder,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* decoder(walkFrames(source));
}

async function* walkFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<FramePiece, void, undefined> {
  const walker = createFrameWalker();
  for await (const chunk of source) yield* walker.push(chunk);
  walker.end();
}
