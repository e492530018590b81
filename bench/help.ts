/**
 * Claim: `bootseal --help` costs at most 1.3 times what it costs to start Node with nothing to do. Both are run in
 * turn, so that a busy machine is unfair to both, and the lower quartiles are compared, since noise only ever adds.
 *
 * `node .build/bench/help.js [ROUNDS]` prints both times and the ratio; exit 1 above the limit.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const LIMIT = 1.3;
const rounds = Number(process.argv[2] ?? 40);
const program = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

function milliseconds(args: readonly string[]): number {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error(`node ${args.join(' ')}: status ${status}`);
  return performance.now() - start;
}

function lowerQuartile(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 4)];
}

const ours: number[] = [];
const floor: number[] = [];
for (let i = 0; i < rounds; i++) {
  floor.push(milliseconds(['-e', '0']));
  ours.push(milliseconds([program, '--help']));
}
const ratio = lowerQuartile(ours) / lowerQuartile(floor);
console.log(`bootseal --help  ${lowerQuartile(ours).toFixed(1)} ms`);
console.log(`node -e 0        ${lowerQuartile(floor).toFixed(1)} ms`);
console.log(`ratio            ${ratio.toFixed(2)} (limit ${LIMIT}, ${rounds} rounds in turn)`);
process.exitCode = ratio <= LIMIT ? 0 : 1;
