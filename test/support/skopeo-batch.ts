/** Many runs of skopeo in one run of the peers' tree, because making that costs as much as a verdict. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { peer } from './peers.ts';

export interface SkopeoRun {
  readonly name: string;
  /** Arguments of skopeo before and after `copy`; the destination is added. */
  readonly global: readonly string[];
  readonly copy: readonly string[];
}

export interface SkopeoVerdict {
  readonly verdict: 'accept' | 'reject' | 'invalid' | 'error';
  /** The message alone, without `time=… level=fatal`. */
  readonly message: string;
}

/** Seconds; a hanging run is one failure, not the end. */
const TIME_LIMIT = 30;

/** `folder` is used for what is copied and printed, and is emptied. */
export function runSkopeo(folder: string, runs: readonly SkopeoRun[]): ReadonlyMap<string, SkopeoVerdict> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  const lines = runs.map(({ name, global, copy }) => {
    const words = [...global, 'copy', ...copy, `dir:${join(folder, 'out')}`].map(quote).join(' ');
    const file = quote(join(folder, name));
    return `timeout ${TIME_LIMIT} skopeo ${words} >/dev/null 2>${file}.log; echo $? >${file}.exit; rm -rf ${quote(join(folder, 'out'))}`;
  });
  const script = join(folder, 'run.sh');
  writeFileSync(script, `${lines.join('\n')}\n`);
  const result = peer('sh', [script], { timeout: runs.length * 2000 + 60_000 });
  if (result.status !== 0) throw new Error(`skopeo runs: exit ${result.status}\n${result.stderr}`);
  return new Map(
    runs.map(({ name }) => {
      const status = Number(readFileSync(join(folder, `${name}.exit`), 'utf8'));
      return [name, verdictOf(status, readFileSync(join(folder, `${name}.log`), 'utf8'))];
    }),
  );
}

function verdictOf(status: number, log: string): SkopeoVerdict {
  if (status === 0) return { verdict: 'accept', message: '' };
  const fatal = log.split('\n').findLast((line) => line.includes('level=fatal')) ?? log.trim();
  const text = /msg=("(?:[^"\\]|\\.)*"|\S+)/.exec(fatal)?.[1] ?? fatal;
  const message = text.startsWith('"') ? unquoteGo(text) : text;
  if (message.includes('Source image rejected: ')) return { verdict: 'reject', message };
  if (message.startsWith('Error loading trust policy')) return { verdict: 'invalid', message };
  return { verdict: 'error', message };
}

/** Enough of Go's quoting for comparing messages of ASCII. */
function unquoteGo(text: string): string {
  return text.slice(1, -1).replaceAll(/\\(["\\nt])/g, (_, letter: string) => {
    return letter === 'n' ? '\n' : letter === 't' ? '\t' : letter;
  });
}
