/**
 * Objects on their way into a repository. They are written to a folder of this process first, under numbers, because
 * a file's digest is known after its last byte; flushed all at once; and only then moved to the names that say what
 * they hold. Whoever is killed leaves numbers behind, which no reader of the repository looks at.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { BootsealError } from '../../errors.ts';
import { objectFile } from '../../formats/composefs-repo/names.ts';
import { enableVerity, measureVerity, syncFileSystem } from './programs.ts';
import type { ComposefsRepo } from './repository.ts';

export interface Staging {
  /** The next object; what is written belongs to it until `end`. */
  begin(): void;
  write(bytes: Uint8Array): void;
  /** Its number, for `commit`. */
  end(): number;
  /** A whole object at once. */
  add(bytes: Uint8Array): number;
  /** Flushes, has the kernel seal them where the repository wants that, and gives them their names. */
  commit(digests: ReadonlyMap<number, string>): Promise<void>;
  /** A link, in place at once. Both paths are relative to the repository. */
  link(path: string, target: string): Promise<void>;
  /** Removes what was not committed. Safe after any failure. */
  close(): Promise<void>;
}

const PREFIX = '.staging-';

/** The caller holds the repository's lock. */
export async function openStaging(repo: ComposefsRepo): Promise<Staging> {
  const folder = join(repo.path, `${PREFIX}${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(folder, { mode: 0o700 });
  let count = 0;
  let file: number | undefined;
  const name = (number: number): string => join(folder, String(number));

  function begin(): void {
    file = openSync(name(count), 'wx', 0o644);
  }

  function write(bytes: Uint8Array): void {
    if (file === undefined) throw new TypeError('no object was begun');
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  }

  function end(): number {
    if (file === undefined) throw new TypeError('no object was begun');
    closeSync(file);
    file = undefined;
    return count++;
  }

  async function commit(digests: ReadonlyMap<number, string>): Promise<void> {
    if (digests.size === 0) return;
    // 1. Contents before names: after a power cut a name never means less than it says.
    await syncFileSystem(folder);
    if (repo.verity)
      await sealByKernel(
        repo,
        [...digests].map(([number, digest]) => [name(number), digest]),
      );
    // 2. Names.
    const folders = new Set<string>();
    for (const [number, digest] of digests) {
      const target = join(repo.path, objectFile(digest));
      if (!folders.has(dirname(target))) await mkdir(dirname(target), { recursive: true, mode: 0o755 });
      folders.add(dirname(target));
      if (repo.verity && (await isThere(target))) await rm(name(number));
      // Without fs-verity the one that is there may have been changed since.
      else await rename(name(number), target);
    }
    // 3. And the names before anything that refers to them.
    await syncFileSystem(folder);
  }

  return {
    begin,
    write,
    end,
    add(bytes) {
      begin();
      write(bytes);
      return end();
    },
    commit,
    async link(path, target) {
      const place = join(repo.path, path);
      await mkdir(dirname(place), { recursive: true, mode: 0o755 });
      const temporary = join(folder, `link-${randomBytes(8).toString('hex')}`);
      await symlink(relative(dirname(place), join(repo.path, target)), temporary);
      await rename(temporary, place);
    },
    async close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Enabling fs-verity blesses whatever bytes are there by then: what the kernel measured must be what we hashed. */
async function sealByKernel(
  repo: ComposefsRepo,
  files: readonly (readonly [path: string, digest: string])[],
): Promise<void> {
  const { algorithm } = repo.meta;
  const paths = files.map(([path]) => path);
  await enableVerity(paths, algorithm);
  const measured = await measureVerity(paths);
  for (const [index, [, digest]] of files.entries()) {
    const found = measured[index];
    if (found?.algorithm === algorithm && found.digest === digest) continue;
    throw new BootsealError(
      'repo/changed-while-writing',
      `object ${digest} changed before fs-verity was enabled`,
      {
        exit: 1,
      },
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Removes what killed processes have left. The caller holds the lock alone, so nobody is writing. */
export async function removeStagings(repo: ComposefsRepo): Promise<number> {
  const names = (await readdir(repo.path)).filter((name) => name.startsWith(PREFIX));
  for (const name of names) await rm(join(repo.path, name), { recursive: true, force: true });
  return names.length;
}
