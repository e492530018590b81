/**
 * Runs a parser on damaged inputs. A finding is whatever is not a BootsealError, or takes more than two seconds. Each
 * finding is kept under test/fuzz/findings/TARGET/ and run again by every later run and by `npm test`.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isBootsealError } from '../../src/errors.ts';
import { projectRoot } from '../support/project.ts';
import { inputFor } from './mutate.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs, small ones first. */
  readonly seeds: () => Uint8Array[];
  /** Must return, or throw a BootsealError. */
  readonly run: (bytes: Uint8Array) => void;
}

export interface FuzzLimits {
  readonly seed: number;
  readonly milliseconds: number;
  readonly inputs?: number;
  /** Told before each input, so that a watcher knows which one does not end. */
  readonly onInput?: (index: number) => void;
}

export interface Finding {
  readonly input: Uint8Array;
  readonly index: number;
  readonly problem: string;
}

export interface FuzzResult {
  readonly inputs: number;
  /** Inputs that the target took without complaint: zero would mean that the fuzzer never gets past the door. */
  readonly taken: number;
  readonly findings: readonly Finding[];
}

/** Of processor time, so that a busy machine is no finding. */
const SLOW_MS = 2000;
/** Enough to show that something is wrong; more of the same helps nobody. */
const MAX_FINDINGS = 10;

export function fuzz(target: FuzzTarget, limits: FuzzLimits): FuzzResult {
  const seeds = target.seeds();
  if (seeds.length === 0) throw new Error(`fuzz target ${target.name} has no seeds`);
  const findings: Finding[] = [];
  let taken = 0;
  const look = (input: Uint8Array, index: number): void => {
    const outcome = runOnce(target, input);
    if (outcome === 'taken') taken++;
    else if (outcome !== 'refused') findings.push({ input, index, problem: outcome.problem });
  };
  for (const [index, input] of [...seeds, ...savedFindings(target.name)].entries()) look(input, -1 - index);
  const end = Date.now() + limits.milliseconds;
  let index = 0;
  while (Date.now() < end && index < (limits.inputs ?? Infinity) && findings.length < MAX_FINDINGS) {
    limits.onInput?.(index);
    look(inputFor(seeds, limits.seed, index), index);
    index++;
  }
  return { inputs: index, taken, findings };
}

function runOnce(target: FuzzTarget, input: Uint8Array): 'taken' | 'refused' | { readonly problem: string } {
  // A copy: a parser that writes into its input would change the seed.
  const copy = input.slice();
  const wall = Date.now();
  const cpu = process.cpuUsage();
  let outcome: 'taken' | 'refused' = 'taken';
  try {
    target.run(copy);
  } catch (error) {
    if (!isBootsealError(error)) {
      return { problem: error instanceof Error ? (error.stack ?? error.message) : 'thrown: not an Error' };
    }
    outcome = 'refused';
  }
  if (Date.now() - wall > SLOW_MS) {
    const used = process.cpuUsage(cpu).user / 1000;
    if (used > SLOW_MS) return { problem: `slow: ${Math.round(used)} ms` };
  }
  return outcome;
}

function findingsFolder(name: string): string {
  return join(projectRoot(), 'test', 'fuzz', 'findings', name);
}

export function savedFindings(name: string): Uint8Array[] {
  const folder = findingsFolder(name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((file) => new Uint8Array(readFileSync(join(folder, file))));
}

/** Keeps the input for later runs. Returns the file's path. */
export function saveFinding(name: string, input: Uint8Array): string {
  const folder = findingsFolder(name);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, createHash('sha256').update(input).digest('hex').slice(0, 16));
  writeFileSync(file, input);
  return file;
}

/** The targets beside this file: every module that exports `target`. */
export async function loadTargets(names?: readonly string[]): Promise<FuzzTarget[]> {
  const folder = new URL('.', import.meta.url);
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const own = new Set(['harness', 'mutate', 'worker', 'smoke.test']);
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(extension) && !file.endsWith('.d.ts'))
    .map((file) => file.slice(0, -extension.length))
    .filter((name) => !own.has(name) && (names === undefined || names.includes(name)))
    .sort();
  const modules = await Promise.all(
    files.map(
      (name) => import(new URL(`${name}${extension}`, folder).href) as Promise<{ target?: FuzzTarget }>,
    ),
  );
  return modules.map((module, index) => {
    if (module.target === undefined) throw new Error(`test/fuzz/${files[index]}.ts exports no target`);
    return module.target;
  });
}
