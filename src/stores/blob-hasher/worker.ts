/** The thread that hashes blobs, several in turn. */
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { FromHasher, ToHasher, UpdateMessage } from './messages.ts';

const blobs = new Map<number, { readonly hash: Hash; readonly buffers: Uint8Array[] }>();

function answer(message: FromHasher): void {
  parentPort?.postMessage(message);
}

function update({ blob, algorithm, buffer, memory, offset, length }: UpdateMessage): void {
  if (algorithm !== undefined) blobs.set(blob, { hash: createHash(algorithm), buffers: [] });
  const { hash, buffers } = blobs.get(blob)!;
  if (memory !== undefined) buffers[buffer] = new Uint8Array(memory);
  hash.update(buffers[buffer].subarray(offset, offset + length));
  answer({ blob });
}

// What is thrown here ends the thread, and with it every blob that it was hashing.
parentPort?.on('message', (message: ToHasher) => {
  const { kind, blob } = message;
  if (kind === 'update') update(message);
  else if (kind === 'finish') answer({ blob, hex: blobs.get(blob)!.hash.digest('hex') });
  else blobs.delete(blob);
});
