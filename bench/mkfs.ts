/**
 * `bootseal composefs mkfs` of dump texts, against C mkcomposefs in the same run, and how its cost grows.
 *
 *   node .build/bench/mkfs.js [--runs N] [--quick]
 *
 * The claim, of 200,000 entries: at most 1.2 times the wall-clock time of mkcomposefs and 1.5 times its memory. Of
 * every size: at most 400 bytes an entry over 200 MiB, and processor time that grows no faster than the text. The
 * fastest of the runs counts: other work on the machine only ever adds. Exits with 1 when it does not hold.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/support/project.ts';
import { writeBigDump } from './support/big-dump.ts';
import { measure } from './support/measure.ts';
import { peerTimes } from './support/peer-times.ts';

const MAX_TIME = 1.2;
const MAX_MEMORY = 1.5;
const BYTES_AN_ENTRY = 400;
const BASE_MEMORY = 200;
/** Time for eight times the entries may be this many times eight times the time: pages and caches take their part. */
const MAX_GROWTH = 1.3;

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '5' }, quick: { type: 'boolean', default: false } },
});
const runs = Number(values.runs);
const sizes = values.quick ? [5000, 10_000, 20_000, 40_000] : [25_000, 50_000, 100_000, 200_000];
const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bootseal-bench-'));
let ok = true;

async function ours(dump: string, image: string): Promise<{ seconds: number; cpu: number; peak: number }> {
  let seconds = Infinity;
  let cpu = Infinity;
  let peak = 0;
  for (let run = 0; run < runs; run++) {
    const args = ['composefs', 'mkfs', '--from-file', dump, image, '--rules', 'c'];
    const result = await measure([process.execPath, cli, ...args]);
    seconds = Math.min(seconds, result.seconds);
    cpu = Math.min(cpu, result.cpu);
    peak = Math.max(peak, result.peak);
  }
  return { seconds, cpu, peak };
}

try {
  const startup = (await measure([process.execPath, cli, '--help'])).cpu;
  const costs: number[] = [];
  for (const entries of sizes) {
    const dump = join(folder, `${entries}.dump`);
    const image = join(folder, `${entries}.erofs`);
    writeBigDump(dump, entries);
    const { seconds, cpu, peak } = await ours(dump, image);
    const allowed = BASE_MEMORY + (entries * BYTES_AN_ENTRY) / 2 ** 20;
    costs.push((cpu - startup) / entries);
    ok &&= peak <= allowed;
    console.log(
      `mkfs, ${entries} entries: ${seconds.toFixed(2)} s (${cpu.toFixed(2)} s of processor time), peak ${peak.toFixed(0)} MiB (at most ${allowed.toFixed(0)})`,
    );
    if (entries !== sizes.at(-1)) continue;
    const theirImage = join(folder, 'theirs.erofs');
    const command = `mkcomposefs --from-file ${dump} ${theirImage}`;
    const times = peerTimes(command, runs);
    const theirs = Math.min(...times.seconds);
    const peers = join(projectRoot(), 'scripts', 'peers');
    const { peak: theirPeak } = await measure([peers, 'run', 'mkcomposefs', '--from-file', dump, theirImage]);
    if (!readFileSync(image).equals(readFileSync(theirImage))) throw new Error('the images differ');
    const ratio = seconds / theirs;
    const memory = peak / theirPeak;
    ok &&= ratio <= MAX_TIME && memory <= MAX_MEMORY;
    console.log(
      `mkcomposefs: ${theirs.toFixed(2)} s (${times.cpu.toFixed(2)} s), ${theirPeak.toFixed(0)} MiB; ours is ${ratio.toFixed(2)} times its time ` +
        `(at most ${MAX_TIME}) and ${memory.toFixed(2)} times its memory (at most ${MAX_MEMORY}); same bytes`,
    );
  }
  const growth = costs.at(-1)! / costs[0];
  ok &&= growth <= MAX_GROWTH;
  console.log(`processor time an entry, most to fewest: ${growth.toFixed(2)} times (at most ${MAX_GROWTH})`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = ok ? 0 : 1;
