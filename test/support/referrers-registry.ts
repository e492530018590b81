/** A registry in memory that has the referrers API, on a free loopback port: built by `scripts/peers referrers`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './registry.ts';

export interface ReferrersRegistry {
  /** `127.0.0.1:PORT`, to put before a repository. */
  readonly host: string;
  stop(): Promise<void>;
}

export async function startReferrersRegistry(): Promise<ReferrersRegistry> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const program = join(cache, 'bootseal', 'referrers-registry');
  if (!existsSync(program)) {
    throw new Error('the registry with the referrers API is not built; build it: scripts/peers referrers');
  }
  const port = await freePort();
  const child = spawn(program, [`127.0.0.1:${port}`], { stdio: 'ignore' });
  for (let waited = 0; !(await listens(port)); waited += 50) {
    if (waited > 10_000 || child.exitCode !== null) throw new Error('the referrers registry did not start');
    await sleep(50);
  }
  return {
    host: `127.0.0.1:${port}`,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
