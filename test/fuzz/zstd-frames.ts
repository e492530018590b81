/** The frame walker: it must neither crash nor give out more than it was given. */
import { execFileSync } from 'node:child_process';
import { createFrameWalker } from '../../src/formats/zstd/frames.ts';
import type { FuzzTarget } from './harness.ts';

function compress(text: string, ...options: readonly string[]): Uint8Array {
  return execFileSync('zstd', ['-q', '-c', ...options], { input: text });
}

export const target: FuzzTarget = {
  name: 'zstd-frames',
  seeds: () => [
    compress('short'),
    compress('no sum', '--no-check'),
    Buffer.concat([
      compress('one'),
      Uint8Array.of(0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9),
      compress('two '.repeat(500)),
    ]),
  ],
  run(bytes) {
    const walker = createFrameWalker();
    let given = 0;
    for (let at = 0; at < bytes.length; at += 7) {
      for (const piece of walker.push(bytes.subarray(at, at + 7))) given += piece.bytes.length;
    }
    if (given > bytes.length) throw new RangeError(`${given} bytes out of ${bytes.length}`);
    walker.end();
  },
};
