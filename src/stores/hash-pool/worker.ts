/** A thread of the hash pool: hashes the blocks of a slot when told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { blockViews, hashBlocks } from '../../formats/fsverity/digest.ts';
import { VERITY_DIGEST_SIZE } from '../../formats/fsverity/format.ts';
import { SLOT_BLOCKS, type HashReply, type HashRequest, type WorkerSetup } from './messages.ts';

const { algorithms, buffers, outputs } = workerData as WorkerSetup;
const views = buffers.map((buffer) => blockViews(new Uint8Array(buffer)));
const digests = outputs.map((output) => Buffer.from(output));

parentPort?.on('message', ({ slot, blocks }: HashRequest) => {
  let offset = 0;
  for (const algorithm of algorithms) {
    hashBlocks(algorithm, views[slot], blocks, digests[slot], offset);
    offset += SLOT_BLOCKS * VERITY_DIGEST_SIZE[algorithm];
  }
  const reply: HashReply = { slot };
  parentPort?.postMessage(reply);
});
