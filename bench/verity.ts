/**
 * fs-verity digests of a big file against the fsverity program in the same run.
 *
 *   node .build/bench/verity.js [--runs N] [--quick]
 *
 * The claim: on one thread at most 1.15 times its time, for both hashes; with as many threads as processors at least
 * 1.7 times faster than on one, where two processes of fsverity at once are as much faster than one after the other.
 * Where they are not, the machine does not scale, which is printed and counts. On one thread processor time is compared:
 * it is the time on an idle machine, and other work does not change it. Of threads the fastest run counts.
 */
import { mkdtempSync, openSync, rmSync, writeSync, closeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encodeHex } from '../src/bytes/hex.ts';
import { verityOfFile } from '../src/stores/verity-file.ts';
import { peerTimes } from './support/peer-times.ts';

const MAX_RATIO = 1.15;
const MIN_SPEEDUP = 1.7;

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '5' }, quick: { type: 'boolean', default: false } },
});
const runs = Number(values.runs);
const mebibytes = values.quick ? 128 : 1024;
const folder = mkdtempSync(join(tmpdir(), 'bootseal-bench-'));
const file = join(folder, 'big');
let ok = true;

async function ours(
  algorithm: 'sha256' | 'sha512',
  threads: number,
): Promise<{ seconds: number; cpu: number }> {
  let seconds = Infinity;
  let cpu = Infinity;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    const before = process.cpuUsage();
    const digest = encodeHex(await verityOfFile(file, algorithm, { threads }));
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
    const { user, system } = process.cpuUsage(before);
    cpu = Math.min(cpu, (user + system) / 1e6);
    digests.add(`${algorithm}:${digest}`);
  }
  return { seconds, cpu };
}

const digests = new Set<string>();
try {
  const output = openSync(file, 'w');
  for (let piece = 0; piece < mebibytes; piece++) writeSync(output, randomBytes(2 ** 20));
  closeSync(output);
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const command = `fsverity digest --hash-alg=${algorithm} ${file}`;
    const one = await ours(algorithm, 0);
    const theirs = peerTimes(command, runs);
    const alone = Math.min(...theirs.seconds);
    const two = await ours(algorithm, 2);
    const together = Math.min(...peerTimes(`${command} & ${command} & wait`, runs).seconds);
    const scaling = (2 * alone) / together;
    const speedup = one.seconds / two.seconds;
    const ratio = one.cpu / theirs.cpu;
    ok &&= ratio <= MAX_RATIO && (speedup >= MIN_SPEEDUP || speedup >= scaling * 0.9);
    console.log(
      `verity, ${mebibytes} MiB, ${algorithm}: ${one.cpu.toFixed(2)} s of processor time (${one.seconds.toFixed(2)} s by ` +
        `the clock), fsverity ${theirs.cpu.toFixed(2)} s (${alone.toFixed(2)} s), ratio ${ratio.toFixed(2)} (at most ` +
        `${MAX_RATIO}); two threads ${speedup.toFixed(2)} times faster than one (at least ${MIN_SPEEDUP}), two ` +
        `fsverity at once ${scaling.toFixed(2)}`,
    );
  }
  if (digests.size !== 2) throw new Error('the digests depend on the number of threads');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = ok ? 0 : 1;
