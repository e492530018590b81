/**
 * Decodes zstd frames with what this machine has: node:zlib from Node 22 on, else the `zstd` program. The frame
 * walker in formats/zstd has cut the stream into frames, so it does not matter that zlib stops after one.
 */
import { spawn } from 'node:child_process';
import * as zlib from 'node:zlib';
import type { Transform } from 'node:stream';
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { FramePiece } from '../../formats/zstd/frames.ts';
import type { ZstdDecoder } from '../../formats/zstd/ports.ts';

const OUTPUT_CHUNK = 256 * 1024;
/** log2 of the 128 MiB that the frame walker allows. */
const WINDOW_LOG_MAX = 27;

type CreateDecompress = (options: { chunkSize: number; params: Record<number, number> }) => Transform;

/** `program` forces the zstd program, for tests and for machines where zlib is not trusted with it. */
export function zstdDecoder(prefer?: 'program'): ZstdDecoder {
  const create = (zlib as { createZstdDecompress?: CreateDecompress }).createZstdDecompress;
  return create === undefined || prefer === 'program'
    ? decodeWithProgram
    : (frames) => decodeWithZlib(frames, create);
}

/** A decoder for each frame: Node 22 and 24 stop after the first, without a word. */
async function* decodeWithZlib(
  frames: AsyncIterable<FramePiece>,
  create: CreateDecompress,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = frames[Symbol.asyncIterator]();
  try {
    for (let piece = await iterator.next(); piece.done !== true; piece = await iterator.next()) {
      const params = {
        [(zlib.constants as unknown as Record<string, number>)['ZSTD_d_windowLogMax']]: WINDOW_LOG_MAX,
      };
      const stream = create({ chunkSize: OUTPUT_CHUNK, params });
      yield* pump(stream, stream, oneFrame(piece.value, iterator));
    }
  } finally {
    await iterator.return?.();
  }
}

async function* oneFrame(
  first: FramePiece,
  rest: AsyncIterator<FramePiece>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let piece = first;
  for (;;) {
    yield piece.bytes;
    if (piece.last) return;
    const next = await rest.next();
    if (next.done === true) return;
    piece = next.value;
  }
}

/** One process for all frames: the program decodes them one after the other and checks each. */
async function* decodeWithProgram(
  frames: AsyncIterable<FramePiece>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = frames[Symbol.asyncIterator]();
  const first = await iterator.next();
  // Nothing but skippable frames: an empty layer, for which the program would complain.
  if (first.done === true) return;
  const child = spawn('zstd', ['--decompress', '--stdout', '--quiet', '--memory=128MB'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
  });
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => (complaint = (complaint + text.toString()).slice(0, 500)));
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', (cause) => reject(noProgram(cause)));
    child.on('close', (status) => {
      if (status === 0) resolve();
      else reject(new BootsealError('zstd/corrupt', `zstd could not decode the layer: ${complaint.trim()}`));
    });
  });
  ended.catch(() => undefined);
  try {
    yield* pump(child.stdin, child.stdout, allFrames(first.value, iterator));
    await ended;
  } catch (error) {
    // The program's own word says more than the broken pipe that it leaves.
    if (!isBootsealError(error)) await ended;
    throw error;
  } finally {
    child.kill('SIGKILL');
    await iterator.return?.();
  }
}

async function* allFrames(
  first: FramePiece,
  rest: AsyncIterator<FramePiece>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first.bytes;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value.bytes;
}

/** Feeds `input` from `source` while giving out what comes from `output`. Both are destroyed in the end. */
async function* pump(
  input: NodeJS.WritableStream & { destroy(): void; destroyed?: boolean },
  output: NodeJS.ReadableStream & { destroy(): void },
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let failure: { readonly error: unknown } | undefined;
  input.on('error', (error: unknown) => (failure ??= { error }));
  const feeding = (async () => {
    try {
      for await (const chunk of source) {
        if (input.destroyed === true) return;
        await written(input, chunk);
      }
      input.end();
    } catch (error) {
      failure = { error };
      output.destroy();
    }
  })();
  try {
    for await (const chunk of output) yield chunk as unknown as Uint8Array;
  } catch (error) {
    failure ??= { error };
  } finally {
    input.destroy();
    output.destroy();
    await feeding;
  }
  if (failure === undefined) return;
  if (isBootsealError(failure.error)) throw failure.error;
  const cause = failure.error;
  throw new BootsealError('zstd/corrupt', `not a valid zstd frame: ${(cause as Error).message}`, { cause });
}

/** Until the bytes have been taken, so that their memory may be used again, or until nothing takes them any more. */
function written(input: NodeJS.WritableStream & { destroyed?: boolean }, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (input.destroyed === true) return resolve();
    const done = (): void => {
      input.off('close', done);
      resolve();
    };
    input.on('close', done);
    input.write(chunk, done);
  });
}

function noProgram(cause: Error): BootsealError {
  return new BootsealError(
    'zstd/no-decoder',
    'this Node cannot decode zstd, and the zstd program did not start',
    {
      cause,
      hint: 'apt-get install zstd, or use Node 22 or newer',
    },
  );
}
