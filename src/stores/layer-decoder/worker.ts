/**
 * A thread that decodes layers. Its heap is small, so that throwing away the buffers of a gigabyte costs next to
 * nothing, where it would make the owner's collector walk the whole tree of the image again and again.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { isBootsealError } from '../../errors.ts';
import { layerDecoder } from '../../formats/oci/decode-layer.ts';
import { createBell } from '../bell.ts';
import { zstdDecoder } from '../zstd/decoder.ts';
import {
  OUTPUT_SLOT,
  type DecodeSetup,
  type FromDecoder,
  type SentError,
  type ToDecoder,
} from './messages.ts';

const { inputs, outputs } = workerData as DecodeSetup;
const decode = layerDecoder(zstdDecoder());
const port = parentPort!;

const queued: Extract<ToDecoder, { kind: 'input' | 'end' }>[] = [];
const free = outputs.map((_, slot) => slot);
const bell = createBell();

port.on('message', (message: ToDecoder) => {
  if (message.kind === 'start') void run(message);
  else if (message.kind === 'release') free.push(message.slot);
  else queued.push(message);
  bell.ring();
});

function send(message: FromDecoder): void {
  port.postMessage(message);
}

async function* input(): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const message = queued.shift();
    if (message === undefined) {
      await bell.heard();
      continue;
    }
    if (message.kind === 'end') return;
    const { slot, length } = message;
    yield Buffer.from(inputs[slot], 0, length);
    send({ kind: 'consumed', slot });
  }
}

async function run({ compression, algorithm }: Extract<ToDecoder, { kind: 'start' }>): Promise<void> {
  try {
    const layer = decode(input(), compression, algorithm);
    let slot: number | undefined;
    let target: Uint8Array = new Uint8Array(0);
    let used = 0;
    const flush = (): void => {
      if (slot !== undefined) send({ kind: 'output', slot, length: used });
      slot = undefined;
      used = 0;
    };
    for await (const chunk of layer) {
      for (let at = 0; at < chunk.length;) {
        while (slot === undefined) {
          slot = free.shift();
          if (slot === undefined) await bell.heard();
          else target = new Uint8Array(outputs[slot]);
        }
        const taken = Math.min(OUTPUT_SLOT - used, chunk.length - at);
        target.set(chunk.subarray(at, at + taken), used);
        used += taken;
        at += taken;
        if (used === OUTPUT_SLOT) flush();
      }
    }
    flush();
    send({ kind: 'done', digest: layer.digest() });
  } catch (error) {
    send({ kind: 'failed', error: sentError(error) });
  }
}

function sentError(error: unknown): SentError {
  if (!isBootsealError(error)) return { message: error instanceof Error ? error.message : String(error) };
  const { code, message, hint, offset } = error;
  return { code, message, ...(hint !== undefined && { hint }), ...(offset !== undefined && { offset }) };
}
