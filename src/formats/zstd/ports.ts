/** What decodes zstd frames: Node's own zlib where it can, else a program. Implementations are in stores/zstd. */
import type { FramePiece } from './frames.ts';

/**
 * Decodes frames that the frame walker has let through. Checksums and content are checked by the decoder, which
 * throws `zstd/corrupt`; that each frame is complete, and that nothing follows, the walker has seen to.
 */
export type ZstdDecoder = (frames: AsyncIterable<FramePiece>) => AsyncIterable<Uint8Array>;
