/** What Node cannot ask the kernel for, asked by programs: flushing a file system, and fs-verity. */
import { spawn } from 'node:child_process';
import { BootsealError } from '../../errors.ts';
import type { VerityAlgorithm } from '../../formats/fsverity/format.ts';

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Names a program is given at once: a command line holds 128 KiB. */
const BATCH = 200;

/** Flushes everything written to the file system that holds `path`: one call instead of one for each file. */
export async function syncFileSystem(path: string): Promise<void> {
  const { status, stderr } = await run('sync', ['--file-system', '--', path], 'coreutils');
  if (status !== 0) throw new BootsealError('file/cannot-write', `cannot flush ${path}: ${stderr.trim()}`);
}

/** Throws `repo/no-verity` where the file system cannot: which check failed is in the words of the kernel. */
export async function enableVerity(paths: readonly string[], algorithm: VerityAlgorithm): Promise<void> {
  // The program takes one file; a shell loop saves the start of a Node child for each.
  for (const batch of batches(paths)) {
    const script = 'alg=$1; shift; for f; do fsverity enable --hash-alg="$alg" -- "$f" || exit 1; done';
    const { status, stderr } = await run('sh', ['-c', script, 'sh', algorithm, ...batch], 'fsverity');
    if (status === 0) continue;
    if (/not found/.test(stderr) && /fsverity/.test(stderr)) throw missing('fsverity', 'fsverity');
    throw new BootsealError('repo/no-verity', `fs-verity cannot be enabled: ${firstLine(stderr)}`, {
      hint: 'ext4 needs mkfs.ext4 -O verity (or tune2fs -O verity) and btrfs Linux 5.15; or make the repository --insecure',
    });
  }
}

/** fs-verity digests as the kernel enforces them, in hexadecimal; undefined for a file that has none. */
export async function measureVerity(
  paths: readonly string[],
): Promise<readonly ({ readonly algorithm: string; readonly digest: string } | undefined)[]> {
  const measured = [];
  for (const batch of batches(paths)) {
    const script = 'for f; do fsverity measure -- "$f" 2>/dev/null || echo none; done';
    const { stdout } = await run('sh', ['-c', script, 'sh', ...batch], 'fsverity');
    const lines = stdout.split('\n');
    for (const index of batch.keys()) {
      const match = /^(sha256|sha512):([0-9a-f]+) /.exec(lines[index] ?? '');
      measured.push(match === null ? undefined : { algorithm: match[1], digest: match[2] });
    }
  }
  return measured;
}

function* batches(paths: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < paths.length; at += BATCH) yield paths.slice(at, at + BATCH);
}

function run(program: string, args: readonly string[], debianPackage: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', (cause) => reject(missing(program, debianPackage, cause)));
    child.once('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
  });
}

function missing(program: string, debianPackage: string, cause?: unknown): BootsealError {
  return new BootsealError('repo/missing-program', `the program ${program} cannot be run`, {
    hint: `apt-get install ${debianPackage}`,
    ...(cause !== undefined && { cause }),
  });
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
