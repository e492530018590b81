/** Dump texts by each program's rules: what makes an image is read back, and dumped and made again as the same image. */
import { readFileSync } from 'node:fs';
import { encodeLatin1, equalBytes } from '../../src/bytes/bytes.ts';
import { dumpImage } from '../../src/composefs/image-dump.ts';
import { writePackedImage, type ImageVersion } from '../../src/composefs/image.ts';
import type { ImageRules } from '../../src/composefs/image-rules.ts';
import { packDump } from '../../src/composefs/pack-dump.ts';
import { isBootsealError } from '../../src/errors.ts';
import { readErofs, type ErofsImage } from '../../src/formats/erofs/reader.ts';
import { vectorPath } from '../support/project.ts';
import { randomDump } from '../support/random-dump.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'dump-roundtrip',
  seeds: () => [
    ...['ok.1', 'ok.3', 'ok.15', 'differs.1', 'differs.9'].map((name) =>
      readFileSync(vectorPath('dump', 'text', `${name}.dump`)),
    ),
    ...[1, 2, 5, 6].map((seed) =>
      encodeLatin1(randomDump(seed, { onlyC: seed > 4, whiteouts: true }).slice(0, 4000)),
    ),
  ],
  run(bytes) {
    let last: unknown;
    let taken = false;
    for (const rules of ['strict', 'c', 'rust'] as const) {
      for (const version of ['v0', 'v1'] as const) {
        try {
          check(bytes, version, rules);
          taken = true;
        } catch (error) {
          if (!isBootsealError(error)) throw error;
          last = error;
        }
      }
    }
    if (!taken) throw last;
  },
};

function write(text: Uint8Array, version: ImageVersion, rules: ImageRules): Uint8Array {
  const packer = packDump('sha256', rules);
  packer.push(text);
  return writePackedImage(packer.finish(), version, rules);
}

function check(text: Uint8Array, version: ImageVersion, rules: ImageRules): void {
  const bytes = write(text, version, rules);
  let image: ErofsImage;
  try {
    image = readErofs(bytes);
  } catch (error) {
    // Each program writes what no kernel can use: names over 255 bytes, a directory of two names, …
    if (isBootsealError(error) && rules !== 'strict') return;
    throw new Error(`by ${rules} rules an image that cannot be read`, { cause: error });
  }
  if (rules !== 'strict') return;
  // What both programs agree on is a text of ours again.
  const again = encodeLatin1([...dumpImage(image)].join(''));
  if (!equalBytes(write(again, version, rules), bytes))
    throw new Error('the dump of the image makes another image');
}
