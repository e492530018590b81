/** How long a program of the peers' tree takes: timed inside, so that entering the tree does not count. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../test/support/project.ts';

export interface PeerTimes {
  /** Seconds of each run by the clock. */
  readonly seconds: readonly number[];
  /** Seconds of processor time of one run, the mean of all. */
  readonly cpu: number;
}

/** Runs a shell command line several times. Throws when one fails. */
export function peerTimes(command: string, runs: number): PeerTimes {
  const script = `for run in $(seq ${runs}); do
    start=$(date +%s%N); { ${command}; } >/dev/null || exit 1; end=$(date +%s%N); echo $((end - start))
  done; times`;
  const output = execFileSync(join(projectRoot(), 'scripts', 'peers'), ['run', 'sh', '-c', script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = output.trim().split('\n');
  // The last line is of the shell's children: `0m1.230000s 0m0.040000s`.
  const cpu = lines
    .at(-1)!
    .split(' ')
    .reduce((sum, text) => {
      const [minutes, seconds] = text.split('m');
      return sum + 60 * Number(minutes) + Number.parseFloat(seconds);
    }, 0);
  return { seconds: lines.slice(0, runs).map((nanoseconds) => Number(nanoseconds) / 1e9), cpu: cpu / runs };
}
