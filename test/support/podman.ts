/** podman among the peers, with a store, a home and a registries.conf of its own; nothing of the machine is touched. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { peer, type PeerResult } from './peers.ts';

export interface Podman {
  /** Home folder; what lies in its `.config/containers` is what podman and bootseal go by. */
  readonly home: string;
  /** `registries.d` of the home. */
  readonly registriesDirectory: string;
  /** The name of an image in its store, for bootseal. */
  inStore(name: string): string;
  /** `podman ARGS` to its end. */
  run(...args: readonly string[]): PeerResult;
  /** As `run`, for what must succeed; throws with what it printed. */
  ok(...args: readonly string[]): PeerResult;
}

/**
 * `host` is a registry without TLS, with attachments and the look-aside store `lookaside`, for both ways.
 * `env` reaches podman: `GNUPGHOME`.
 */
export function makePodman(
  folder: string,
  host: string,
  lookaside: string,
  env: Readonly<Record<string, string>>,
): Podman {
  const home = join(folder, 'home');
  const registriesDirectory = join(home, '.config', 'containers', 'registries.d');
  mkdirSync(registriesDirectory, { recursive: true });
  writeFileSync(
    join(registriesDirectory, 'a.yaml'),
    `docker:\n  "${host}":\n    use-sigstore-attachments: true\n` +
      `    lookaside: file://${lookaside}\n    lookaside-staging: file://${lookaside}\n`,
  );
  const registriesConf = join(folder, 'registries.conf');
  writeFileSync(registriesConf, `[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
  // `image trust show` asks gpg2 for the names in a key; Debian calls it gpg.
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  symlinkSync('/usr/bin/gpg', join(programs, 'gpg2'));
  const global = ['--root', join(folder, 'store'), '--runroot', join(folder, 'run')];
  const start = [`PATH=${programs}:/usr/sbin:/usr/bin`, 'podman', '--events-backend', 'none', ...global];
  const environment = {
    ...env,
    HOME: home,
    CONTAINERS_REGISTRIES_CONF: registriesConf,
    PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
  };
  const run = (...args: readonly string[]): PeerResult =>
    peer('env', [...start, '--storage-driver', 'vfs', ...args], { env: environment });
  return {
    home,
    registriesDirectory,
    inStore: (name) => `containers-storage:[vfs@${join(folder, 'store')}]${name}`,
    run,
    ok(...args) {
      const result = run(...args);
      if (result.status !== 0) throw new Error(`podman ${args.join(' ')}: ${result.stdout}${result.stderr}`);
      return result;
    },
  };
}
