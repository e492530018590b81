/** Decodes layers in a thread of its own, one layer at a time. */
import { Worker } from 'node:worker_threads';
import { BootsealError, type ErrorCode } from '../../errors.ts';
import type { DecodedLayer, LayerDecoder } from '../../formats/oci/decode-layer.ts';
import { createBell } from '../bell.ts';
import {
  INPUT_SLOT,
  INPUT_SLOTS,
  OUTPUT_SLOT,
  OUTPUT_SLOTS,
  type DecodeSetup,
  type FromDecoder,
  type SentError,
  type ToDecoder,
} from './messages.ts';

export interface ThreadedDecoder {
  readonly decode: LayerDecoder;
  close(): Promise<void>;
}

/** The thread starts at once, and ends with `close`. */
export function openThreadedDecoder(): ThreadedDecoder {
  const setup: DecodeSetup = {
    inputs: Array.from({ length: INPUT_SLOTS }, () => new SharedArrayBuffer(INPUT_SLOT)),
    outputs: Array.from({ length: OUTPUT_SLOTS }, () => new SharedArrayBuffer(OUTPUT_SLOT)),
  };
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: setup });
  const outputs = setup.outputs.map((buffer) => new Uint8Array(buffer));
  const inputs = setup.inputs.map((buffer) => new Uint8Array(buffer));
  const freeInputs = inputs.map((_, slot) => slot);
  const received: Exclude<FromDecoder, { kind: 'consumed' }>[] = [];
  let failure: BootsealError | undefined;
  const bell = createBell();

  worker.on('message', (message: FromDecoder) => {
    if (message.kind === 'consumed') freeInputs.push(message.slot);
    else received.push(message);
    bell.ring();
  });
  worker.on('error', (cause) => fail('the decoding thread failed', cause));
  worker.on('exit', (status) => fail(`the decoding thread ended with status ${status}`));

  function fail(message: string, cause?: unknown): void {
    failure ??= new BootsealError('layer-decoder/thread', message, { cause });
    bell.ring();
  }

  /** Something has changed; the caller looks at what. */
  async function change(): Promise<void> {
    await bell.heard();
    if (failure !== undefined) throw failure;
  }

  function send(message: ToDecoder): void {
    worker.postMessage(message);
  }

  /** Copies the blob into free slots until it ends or nobody reads on. */
  async function feed(blob: AsyncIterable<Uint8Array>, state: { stopped: boolean }): Promise<void> {
    for await (const chunk of blob) {
      for (let at = 0; at < chunk.length; at += INPUT_SLOT) {
        while (freeInputs.length === 0 && !state.stopped) await change();
        if (state.stopped) return;
        const slot = freeInputs.pop()!;
        const part = chunk.subarray(at, at + INPUT_SLOT);
        inputs[slot].set(part);
        send({ kind: 'input', slot, length: part.length });
      }
    }
    send({ kind: 'end' });
  }

  const decode: LayerDecoder = (blob, compression, algorithm): DecodedLayer => {
    let digest = '';
    return {
      async *[Symbol.asyncIterator]() {
        if (failure !== undefined) throw failure;
        const state = { stopped: false };
        let feedError: { readonly error: unknown } | undefined;
        send({ kind: 'start', compression, algorithm });
        const feeding = feed(blob, state).catch((error: unknown) => {
          feedError = { error };
          bell.ring();
        });
        try {
          for (;;) {
            // What the store says of the blob comes before what the decoder made of it.
            if (feedError !== undefined) throw feedError.error;
            const message = received.shift();
            if (message === undefined) {
              await change();
            } else if (message.kind === 'output') {
              yield outputs[message.slot].subarray(0, message.length);
              send({ kind: 'release', slot: message.slot });
            } else if (message.kind === 'done') {
              digest = message.digest;
              break;
            } else {
              throw receivedError(message.error);
            }
          }
          state.stopped = true;
        } finally {
          if (!state.stopped) {
            // The thread is in the middle of a layer that nobody wants: it cannot be used again.
            state.stopped = true;
            await close();
          }
          bell.ring();
          await feeding;
        }
      },
      digest: () => digest,
    };
  };

  async function close(): Promise<void> {
    failure ??= new BootsealError('layer-decoder/closed', 'the decoding thread has been closed');
    worker.removeAllListeners('exit');
    await worker.terminate();
  }

  return { decode, close };
}

function receivedError({ code, message, hint, offset }: SentError): Error {
  if (code === undefined) return new Error(message);
  return new BootsealError(code as ErrorCode, message, {
    ...(hint !== undefined && { hint }),
    ...(offset !== undefined && { offset }),
  });
}
