/**
 * `bootseal digest` of a large image against the least that any program must compute for it, in the same run.
 *
 *   node .build/bench/digest.js [--runs N] [--quick]
 *
 * The claim: at most 1.25 times the floor, at most 300 MiB, and the same memory (±10 %) when files are twice as big.
 * Exits with 1 when it does not hold.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeBigImage, type BigImage } from './support/big-image.ts';
import { measure, measureTogether, median } from './support/measure.ts';

const MAX_RATIO = 1.25;
const MAX_MEMORY = 300;
const MAX_GROWTH = 1.1;

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '5' }, quick: { type: 'boolean', default: false } },
});
const bytes = values.quick ? 128 * 2 ** 20 : 1100 * 2 ** 20;
const files = values.quick ? 2500 : 20_000;

const floor = fileURLToPath(new URL('support/floor.js', import.meta.url));
const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const node = process.execPath;

async function compare(
  image: BigImage,
): Promise<{ ratio: number; ours: number; floor: number; peak: number; typicalPeak: number }> {
  const ours: number[] = [];
  const least: number[] = [];
  const ratios: number[] = [];
  const peaks: number[] = [];
  for (let run = 0; run < Number(values.runs); run++) {
    const reference = await measureTogether([
      [node, floor, 'decode', ...image.blobs],
      [node, floor, 'blocks', ...image.tars],
    ]);
    const digest = await measure([node, cli, 'digest', '--quiet', `oci:${image.layout}:big`]);
    if (!/^[0-9a-f]{128}\n$/.test(digest.stdout)) throw new Error(`no digest: ${digest.stdout}`);
    ours.push(digest.seconds);
    least.push(reference.seconds);
    ratios.push(digest.seconds / reference.seconds);
    peaks.push(digest.peak);
  }
  // When garbage is collected moves the peak of one run by a tenth: growth is told by the median, the limit by the worst.
  return {
    ratio: median(ratios),
    ours: median(ours),
    floor: median(least),
    peak: Math.max(...peaks),
    typicalPeak: median(peaks),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'bootseal-bench-'));
let ok = true;
try {
  const peaks: number[] = [];
  for (const scale of [1, 2]) {
    const image = await makeBigImage(join(folder, String(scale)), files, bytes, scale);
    const result = await compare(image);
    rmSync(join(folder, String(scale)), { recursive: true });
    peaks.push(result.typicalPeak);
    const size = (image.plainBytes / 2 ** 30).toFixed(2);
    console.log(
      `digest, ${size} GiB in ${image.files} files: ${result.ours.toFixed(2)} s, floor ${result.floor.toFixed(2)} s, ` +
        `ratio ${result.ratio.toFixed(2)} (at most ${MAX_RATIO}), peak ${result.peak.toFixed(0)} MiB (at most ${MAX_MEMORY})`,
    );
    ok &&= result.ratio <= MAX_RATIO && result.peak <= MAX_MEMORY;
  }
  const growth = peaks[1] / peaks[0];
  console.log(`memory with files twice as big: ${growth.toFixed(2)} times (at most ${MAX_GROWTH})`);
  ok &&= growth <= MAX_GROWTH;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = ok ? 0 : 1;
