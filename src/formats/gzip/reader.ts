/**
 * Decodes a gzip stream, RFC 1952: every member, nothing but members. zlib checks CRC, length and header sum; what
 * it leaves unread (padding or junk after the last member) is found by counting, and refused.
 */
import type { TransformOptions } from 'node:stream';
import { createGunzip, type ZlibOptions } from 'node:zlib';
import { BootsealError, isBootsealError } from '../../errors.ts';

/** Large enough that the thread switch for each piece costs nothing. */
const OUTPUT_CHUNK = 512 * 1024;
/** Decoded bytes that may wait for the consumer, so that inflating goes on in zlib's thread meanwhile. */
const READ_AHEAD = 2 * 1024 * 1024;

/**
 * The decoded bytes. Inflating runs in a thread of the libuv pool. Stopping the iteration early stops `source`.
 * Throws `gzip/corrupt`, `gzip/truncated`, `gzip/trailing-data`, and whatever `source` throws.
 */
export async function* gunzip(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const options: ZlibOptions & TransformOptions = {
    chunkSize: OUTPUT_CHUNK,
    readableHighWaterMark: READ_AHEAD,
  };
  const stream = createGunzip(options);
  let received = 0;
  let complete = false;
  let sourceError: { readonly error: unknown } | undefined;

  async function feed(): Promise<void> {
    try {
      for await (const chunk of source) {
        received += chunk.length;
        await written(chunk);
        if (stream.destroyed) return;
      }
      complete = true;
      stream.end();
    } catch (error) {
      sourceError = { error };
      stream.destroy();
    }
  }

  /**
   * Until the chunk has been decoded, so that `source` may use its memory again. zlib stops reading after the last
   * member: then it never says so, but it closes.
   */
  function written(chunk: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (stream.destroyed) return resolve();
      const done = (): void => {
        stream.off('close', done);
        resolve();
      };
      stream.on('close', done);
      stream.write(chunk, done);
    });
  }

  const feeding = feed();
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (cause) {
    if (sourceError === undefined) throw decodeError(cause);
  } finally {
    stream.destroy();
    await feeding;
  }
  if (sourceError !== undefined) throw sourceError.error;
  if (!complete || stream.bytesWritten !== received) {
    throw new BootsealError('gzip/trailing-data', 'bytes after the last gzip member', {
      offset: stream.bytesWritten,
    });
  }
}

function decodeError(cause: unknown): unknown {
  if (isBootsealError(cause) || !(cause instanceof Error)) return cause;
  if ('code' in cause && cause.code === 'Z_BUF_ERROR') {
    return new BootsealError('gzip/truncated', 'the gzip stream ends early', { cause });
  }
  return new BootsealError('gzip/corrupt', `not a valid gzip stream: ${cause.message}`, { cause });
}
