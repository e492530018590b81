/** A home of GnuPG's own with keys for a test: of the gpg that users have, or of the newer one among the peers. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peerOk } from './peers.ts';

export interface GpgHome {
  readonly env: { readonly GNUPGHOME: string };
  /** Binary output of `gpg --batch ARGS`; throws with what it printed when it fails. */
  run(args: readonly string[], input?: Uint8Array): Buffer;
  /** Returns the fingerprint. `algorithm` as `--quick-gen-key` takes it. */
  makeKey(name: string, options?: GpgKeyOptions): string;
  /** File with the public keys. */
  exportKeys(...keys: readonly string[]): string;
  /** Ends the agent, which remembers passphrases. */
  forget(): void;
  remove(): void;
}

export interface GpgKeyOptions {
  readonly algorithm?: string;
  readonly usage?: string;
  /** As `--quick-gen-key` takes it: `never`, `2y`, … */
  readonly expire?: string;
  readonly passphrase?: string;
}

export function makeGpgHome(program: 'user' | 'peer'): GpgHome {
  // Sockets of the agent live here, and their paths must be short.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bs-gpg-')));
  const env = { GNUPGHOME: folder };
  const run = (args: readonly string[], input: Uint8Array = new Uint8Array()): Buffer => {
    const all = ['--batch', '--no-tty', '--pinentry-mode', 'loopback', ...args];
    if (program === 'peer') return peerOk('gpg', all, { env, input }).bytes;
    const { status, stdout, stderr, error } = spawnSync('gpg', all, {
      env: { ...process.env, ...env },
      input,
    });
    if (error !== undefined) throw new Error('gpg is missing: apt-get install gnupg');
    if (status !== 0) throw new Error(`gpg ${args.join(' ')}: ${stderr.toString()}`);
    return stdout;
  };
  const forget = (): void => {
    if (program === 'peer') peerOk('gpgconf', ['--kill', 'all'], { env });
    else spawnSync('gpgconf', ['--kill', 'all'], { env: { ...process.env, ...env } });
  };
  let exports = 0;
  return {
    env,
    run,
    makeKey(name, { algorithm = 'ed25519', usage = 'sign', expire = 'never', passphrase = '' } = {}) {
      const user = `${name} <${name}@example.com>`;
      run(['--passphrase', passphrase, '--quick-gen-key', user, algorithm, usage, expire]);
      const listed = run(['--with-colons', '--list-keys', `=${user}`]).toString();
      return /^fpr:+([0-9A-F]{40}):/m.exec(listed)![1];
    },
    exportKeys(...keys) {
      const file = join(folder, `public-${++exports}.gpg`);
      writeFileSync(file, run(['--export', ...keys]));
      return file;
    },
    forget,
    remove() {
      forget();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
