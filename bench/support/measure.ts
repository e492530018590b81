/** Runs a program and tells how long it took and how much memory it had at most. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Measured {
  readonly seconds: number;
  /** Peak resident memory in MiB. */
  readonly peak: number;
  readonly stdout: string;
}

export interface Timed extends Measured {
  /** Seconds of processor time, in steps of 20 ms: what other work on the machine does not change. */
  readonly cpu: number;
}

/** All programs are started together; the time is that until the last has ended. Throws when one fails. */
export async function measureTogether(commands: readonly (readonly string[])[]): Promise<Timed> {
  const start = performance.now();
  const results = await Promise.all(commands.map(runOne));
  const seconds = (performance.now() - start) / 1000;
  return {
    seconds,
    cpu: results.reduce((sum, { cpu }) => sum + cpu, 0),
    peak: results.reduce((sum, { peak }) => sum + peak, 0),
    stdout: results.map(({ stdout }) => stdout).join(''),
  };
}

export const measure = (command: readonly string[]): Promise<Timed> => measureTogether([command]);

function runOne(command: readonly string[]): Promise<{ cpu: number; peak: number; stdout: string }> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  let peak = 0;
  let cpu = 0;
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  const timer = setInterval(() => {
    peak = Math.max(peak, highWater(child.pid));
    cpu = Math.max(cpu, processorTime(child.pid));
  }, 20);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      clearInterval(timer);
      if (status === 0) resolve({ cpu, peak, stdout });
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

/** User and system time of all its threads. The kernel counts it in hundredths of a second. */
function processorTime(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
