/**
 * The programs bootseal is compared with, run in the tree that `scripts/peers` makes.
 * Paths mean the same inside as outside, so a test hands over file names as they are.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

export interface PeerOptions {
  readonly cwd?: string;
  /** Added to the environment; the home folder is an empty one unless given here. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Milliseconds; a program that takes longer is killed and the test fails. */
  readonly timeout?: number;
}

export interface PeerResult {
  /** Exit status; -1 after a signal. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as it came, for programs that print binary data. */
  readonly bytes: Buffer;
}

function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bootseal');
}

/** False on a machine where `scripts/peers` has not been run. */
export function peersAvailable(): boolean {
  return existsSync(join(cacheFolder(), 'peers', 'bootseal-peers'));
}

export type CfsctlVersion = '0.9.0' | '0.9.4';

/** The reference implementation of composefs digests, built by `scripts/peers cfsctl VERSION`. */
export function cfsctlPath(version: CfsctlVersion = '0.9.0'): string {
  const path = join(cacheFolder(), `cfsctl-${version}`, 'bin', 'cfsctl');
  if (!existsSync(path)) {
    throw new Error(`cfsctl ${version} is not built; build it: scripts/peers cfsctl ${version}`);
  }
  return path;
}

/** Runs one peer program to its end. Throws only when it could not run at all. */
export function peer(name: string, args: readonly string[], options: PeerOptions = {}): PeerResult {
  if (!peersAvailable()) throw new Error(`${name} needs the peer programs; make them: scripts/peers`);
  const home = join(cacheFolder(), 'peers-home');
  mkdirSync(home, { recursive: true });
  const result = spawnSync(join(projectRoot(), 'scripts', 'peers'), ['run', name, ...args], {
    cwd: options.cwd ?? projectRoot(),
    env: {
      ...process.env,
      XDG_CACHE_HOME: join(cacheFolder(), '..'),
      HOME: home,
      ...options.env,
    },
    input: options.input,
    timeout: options.timeout ?? 120_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.error) throw new Error(`${name} did not run: ${result.error.message}`);
  return {
    status: result.status ?? -1,
    stdout: result.stdout.toString('utf8'),
    stderr: result.stderr.toString('utf8'),
    bytes: result.stdout,
  };
}

/** As {@link peer}, for steps that must succeed: any other exit status throws with what it printed. */
export function peerOk(name: string, args: readonly string[], options: PeerOptions = {}): PeerResult {
  const result = peer(name, args, options);
  if (result.status !== 0) {
    throw new Error(`${name} ${args.join(' ')}: exit ${result.status}\n${result.stdout}${result.stderr}`);
  }
  return result;
}
