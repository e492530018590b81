/** The policy vectors: what skopeo said about generated inputs (test/vectors/policy/README.md), replayed without it. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { vectorPath } from './project.ts';
import { startRegistry, type TestRegistry } from './registry.ts';

export type Expected = 'accept' | 'reject' | 'invalid' | 'error';

export interface PolicyCase {
  readonly name: string;
  readonly kind: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly files_base64?: Readonly<Record<string, string>>;
  readonly copies?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly reference: string;
  readonly copy_options?: readonly string[];
  readonly command?: string;
  readonly registries_d?: string;
  readonly expected: Expected;
  readonly message: string;
  readonly message_varies?: boolean;
  readonly sections?: readonly string[];
  readonly requirements?: readonly ('allowed' | 'denied')[];
  /** What skopeo's log says of the look-up in registries.d. */
  readonly lookaside?: readonly string[];
  readonly attachments?: readonly string[];
  /** The verdict of the image proxy, which bootc uses. */
  readonly proxy?: { readonly expected: Expected; readonly message: string };
}

export function policyCases(): PolicyCase[] {
  const all = JSON.parse(readFileSync(vectorPath('policy', 'cases.json'), 'utf8')) as PolicyCase[];
  return all.filter(({ command }) => command === undefined);
}

/** A folder that stands for the folder of the vectors: `keys/`, and `run/` as the case wants it. */
export interface ReplayFolder {
  /** Absolute, without symbolic links: what `@ROOT@` means. */
  readonly root: string;
  /** Empties and fills `run/`. `hosts`: recorded addresses, and those that stand in for them. */
  prepare(item: PolicyCase, hosts?: Readonly<Record<string, string>>): void;
  remove(): void;
}

export function makeReplayFolder(): ReplayFolder {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'bootseal-policy-')));
  for (const folder of ['keys', 'lookaside']) {
    cpSync(vectorPath('policy', folder), join(root, folder), { recursive: true });
  }
  const run = join(root, 'run');
  return {
    root,
    prepare({ files = {}, files_base64: encoded = {}, copies = {}, links = {} }, hosts = {}) {
      rmSync(run, { recursive: true, force: true });
      mkdirSync(run);
      const write = (name: string, bytes: string | Buffer): void => {
        mkdirSync(dirname(join(run, name)), { recursive: true });
        writeFileSync(join(run, name), bytes);
      };
      for (const [name, text] of Object.entries(files)) {
        const moved = Object.entries(hosts).reduce((all, [from, to]) => all.replaceAll(from, to), text);
        write(name, moved.replaceAll('@ROOT@', root));
      }
      for (const [name, text] of Object.entries(encoded)) write(name, Buffer.from(text, 'base64'));
      for (const [to, from] of Object.entries(copies)) {
        mkdirSync(dirname(join(root, to)), { recursive: true });
        cpSync(vectorPath('policy', from), join(root, to), { recursive: true });
      }
      for (const [link, target] of Object.entries(links)) {
        mkdirSync(dirname(join(root, link)), { recursive: true });
        symlinkSync(target.replaceAll('@ROOT@', root), join(root, link));
      }
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A real registry with the images of the vectors. */
export async function startVectorRegistry(): Promise<TestRegistry> {
  const registry = await startRegistry();
  const unpack = spawnSync('tar', [
    '-xzf',
    vectorPath('policy', 'registry.tar.gz'),
    '--strip-components=1',
    '-C',
    join(registry.folder, 'data'),
  ]);
  if (unpack.status !== 0) throw new Error(`tar: ${unpack.stderr.toString()}`);
  return registry;
}
