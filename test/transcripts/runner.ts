/**
 * Transcripts: one file per behaviour of the command line, run as people run it, against the compiled program.
 *
 * ```
 * # What is shown, in one line.
 * bootseal digest oci:image          must succeed
 * ! bootseal digest oci:missing      must fail
 * exit 3                             exactly this status of the last command
 * stdout '^[0-9a-f]{128}$'           a line of the last command's output matches
 * ! stderr .                         no line does
 * stdin FILE                         input of the next command
 * env NO_COLOR=1                     for all commands that follow
 * tty bootseal …                     the next command runs at a terminal (script(1))
 * exists FILE, ! exists FILE
 * registry                           a real registry from here on: `$REGISTRY`, in files too
 * image NAME                         a new image under that name, in the registry or a folder
 * -- policy.json --                  files, put into the folder the commands run in
 * ```
 *
 * `$WORK` is that folder, `$VECTORS` is test/vectors, in files too. Regular expressions stand between single quotes;
 * a word between double quotes is a JSON string, for characters that are better not seen.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vectorPath } from '../support/project.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { makeImage, putImage } from '../support/test-image.ts';

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface State {
  readonly folder: string;
  readonly files: ReadonlyMap<string, string>;
  registry: TestRegistry | undefined;
  readonly environment: Record<string, string>;
  input: string | undefined;
  last: Ran;
}

const PROGRAM = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const TIMEOUT_MS = 60_000;

export async function runTranscript(file: string): Promise<void> {
  const { script, files } = splitFiles(readFileSync(file, 'utf8'));
  const folder = mkdtempSync(join(tmpdir(), 'bootseal-transcript-'));
  let state: State | undefined;
  try {
    writeFiles(folder, files);
    const environment = { PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder };
    state = {
      folder,
      files,
      registry: undefined,
      environment,
      input: undefined,
      last: { status: 0, stdout: '', stderr: '' },
    };
    for (const [index, line] of script.entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      await runLine(line, state, `${file}:${index + 1}: ${line}`);
    }
  } finally {
    await state?.registry?.stop();
    rmSync(folder, { recursive: true });
  }
}

function writeFiles(folder: string, files: ReadonlyMap<string, string>): void {
  for (const [name, content] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(
      join(folder, name),
      content.replaceAll('$WORK', folder).replaceAll('$VECTORS', vectorPath()),
    );
  }
}

async function openRegistry(state: State): Promise<void> {
  state.registry = await startRegistry();
  const { host } = state.registry;
  const naming = [...state.files].filter(([, content]) => content.includes('$REGISTRY'));
  writeFiles(
    state.folder,
    new Map(naming.map(([name, content]) => [name, content.replaceAll('$REGISTRY', host)])),
  );
}

/** A relative path is one in the folder of the transcript. */
function imageName(name: string, folder: string): string {
  return name.replace(/^(dir|oci|oci-archive):(?!\/)/, `$1:${folder}/`);
}

async function runLine(line: string, state: State, place: string): Promise<void> {
  const [first, ...others] = words(line, state);
  const negated = first === '!';
  const [verb, ...args] = negated ? others : [first, ...others];
  const failed = (what: string): string =>
    `${place}\n${what}\nstatus ${state.last.status}\nstdout:\n${state.last.stdout}\nstderr:\n${state.last.stderr}`;
  if (verb === 'bootseal' || verb === 'tty') {
    state.last =
      verb === 'tty' ? runAtTerminal(args.slice(1), state) : run(process.execPath, [PROGRAM, ...args], state);
    state.input = undefined;
    assert.equal(state.last.status !== 0, negated, failed(negated ? 'should fail' : 'should succeed'));
    assert.ok(state.last.status !== null, failed('did not end'));
    assert.ok(!/^ +at .*:\d+:\d+\)?$/m.test(state.last.stderr), failed('shows a stack trace'));
  } else if (verb === 'exit')
    assert.equal(String(state.last.status), args[0], failed(`status should be ${args[0]}`));
  else if (verb === 'stdout' || verb === 'stderr') {
    const matches = new RegExp(args.join(' '), 'mu').test(state.last[verb]);
    assert.equal(matches, !negated, failed(`${verb} should ${negated ? 'not ' : ''}match`));
  } else if (verb === 'stdin') state.input = readFileSync(join(state.folder, args[0]), 'utf8');
  else if (verb === 'env') state.environment[args[0].split('=')[0]] = args[0].slice(args[0].indexOf('=') + 1);
  else if (verb === 'exists')
    assert.equal(existsSync(join(state.folder, args[0])), !negated, failed('exists'));
  else if (verb === 'registry') await openRegistry(state);
  else if (verb === 'image') await putImage(imageName(args[0], state.folder), makeImage());
  else assert.fail(`${place}: unknown word "${verb}"`);
}

function run(program: string, args: readonly string[], state: State): Ran {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: state.folder,
    env: state.environment,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    ...(state.input === undefined ? {} : { input: state.input }),
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** Both streams are the terminal, so all of the output is found in `stdout`. */
function runAtTerminal(args: readonly string[], state: State): Ran {
  const command = [process.execPath, PROGRAM, ...args]
    .map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
    .join(' ');
  const terminal = { ...state, environment: { TERM: 'xterm-256color', ...state.environment } };
  return run('script', ['-qec', command, '/dev/null'], terminal);
}

/** Words of a line; single quotes keep spaces and backslashes as they are, double quotes hold a JSON string. */
function words(line: string, state: State): string[] {
  return [...line.matchAll(/'([^']*)'|("(?:\\.|[^"\\])*")|(\S+)/g)].map(([, quoted, json, bare]) => {
    // Within an expression the dots of an address match themselves, and any other character too.
    if (quoted !== undefined)
      return state.registry === undefined ? quoted : quoted.replaceAll('$REGISTRY', state.registry.host);
    if (json !== undefined) return JSON.parse(json) as string;
    return replaceNames(bare, state);
  });
}

function replaceNames(word: string, { folder, registry }: State): string {
  const named = word.replace('$WORK', folder).replace('$VECTORS', vectorPath());
  return registry === undefined ? named : named.replace('$REGISTRY', registry.host);
}

function splitFiles(text: string): { script: string[]; files: Map<string, string> } {
  const [script, ...rest] = text.split(/^-- (.+) --\n/m);
  const files = new Map<string, string>();
  for (let i = 0; i + 1 < rest.length; i += 2) files.set(rest[i], rest[i + 1]);
  return { script: script.split('\n'), files };
}
