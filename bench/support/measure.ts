/** Runs a program and tells how long it took and how much memory it had at most. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Measured {
  readonly seconds: number;
  /** Peak resident memory in MiB. */
  readonly peak: number;
  readonly stdout: string;
}

/** All programs are started together; the time is that until the last has ended. Throws when one fails. */
export async function measureTogether(commands: readonly (readonly string[])[]): Promise<Measured> {
  const start = performance.now();
  const results = await Promise.all(commands.map(runOne));
  const seconds = (performance.now() - start) / 1000;
  return {
    seconds,
    peak: results.reduce((sum, { peak }) => sum + peak, 0),
    stdout: results.map(({ stdout }) => stdout).join(''),
  };
}

export const measure = (command: readonly string[]): Promise<Measured> => measureTogether([command]);

function runOne(command: readonly string[]): Promise<{ peak: number; stdout: string }> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  let peak = 0;
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  const timer = setInterval(() => (peak = Math.max(peak, highWater(child.pid))), 20);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      clearInterval(timer);
      if (status === 0) resolve({ peak, stdout });
      else reject(new Error(`${command.join(' ')} ended with status ${status}`));
    });
  });
}

/** VmHWM is the kernel's own high-water mark, so polling it misses nothing but the last moments. */
function highWater(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
