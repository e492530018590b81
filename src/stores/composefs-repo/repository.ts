/** A composefs-rs repository on disk: made, opened, read. Nothing is written here but `meta.json`. */
import { mkdir, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeHex } from '../../bytes/hex.ts';
import { BootsealError } from '../../errors.ts';
import {
  encodeRepoMeta,
  parseRepoMeta,
  type RepoImageVersion,
  type RepoMeta,
} from '../../formats/composefs-repo/meta.ts';
import { linkedObject, objectFile } from '../../formats/composefs-repo/names.ts';
import { verityDigest } from '../../formats/fsverity/digest.ts';
import type { VerityAlgorithm } from '../../formats/fsverity/format.ts';
import { writeFileAtomic } from '../atomic-write.ts';
import { cannotRead, systemCode } from '../file-errors.ts';
import { enableVerity, measureVerity } from './programs.ts';

export interface ComposefsRepo {
  readonly path: string;
  readonly meta: RepoMeta;
  /** The kernel checks every object: `meta.json` itself has fs-verity. */
  readonly verity: boolean;
}

export interface CreateOptions {
  readonly algorithm: VerityAlgorithm;
  readonly imageVersion: RepoImageVersion;
  /** Without fs-verity, for file systems that have none. */
  readonly insecure?: boolean;
}

/**
 * Makes a repository, or opens the one that is there if it is of the same kind. Throws `repo/different`,
 * `repo/no-verity`, `file/cannot-write`.
 */
export async function createRepo(path: string, options: CreateOptions): Promise<ComposefsRepo> {
  if (await exists(join(path, 'meta.json'))) {
    const repo = await openRepo(path);
    const { algorithm, imageVersion } = repo.meta;
    if (algorithm === options.algorithm && imageVersion === options.imageVersion) return repo;
    throw new BootsealError(
      'repo/different',
      `${path} is a repository of ${algorithm} and version ${imageVersion} images`,
      {
        hint: 'choose another folder, or the same --hash and --erofs',
      },
    );
  }
  if (!(await isEmpty(path))) {
    throw new BootsealError('repo/not-empty', `${path} is not empty and no repository`, {
      hint: 'choose another folder',
    });
  }
  await mkdir(path, { recursive: true, mode: 0o700 });
  const meta = join(path, 'meta.json');
  await writeFileAtomic(meta, [encodeRepoMeta(options)]);
  if (options.insecure !== true) await enableVerity([meta], options.algorithm);
  return openRepo(path);
}

/** Throws `repo/not-a-repository`, `repo/bad-meta`, `repo/unsupported`. */
export async function openRepo(path: string): Promise<ComposefsRepo> {
  const file = join(path, 'meta.json');
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw cannotRead(file, error);
    throw new BootsealError(
      'repo/not-a-repository',
      `${path} is no composefs repository: it has no meta.json`,
      {
        hint: `make one: bootseal composefs repo init ${path}`,
        cause: error,
      },
    );
  }
  const meta = parseRepoMeta(bytes);
  return { path, meta, verity: await hasVerity(file) };
}

async function hasVerity(file: string): Promise<boolean> {
  try {
    return (await measureVerity([file]))[0] !== undefined;
  } catch {
    // Without the program nothing can be said, and nothing written that the kernel would have to check.
    return false;
  }
}

export function hasObject(repo: ComposefsRepo, digest: string): Promise<boolean> {
  return exists(join(repo.path, objectFile(digest)));
}

/** The bytes of an object, checked against its name. Throws `repo/missing-object`, `repo/bad-object` (exit 1). */
export async function readObject(repo: ComposefsRepo, digest: string, maxSize: number): Promise<Uint8Array> {
  const file = join(repo.path, objectFile(digest));
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    if (size > maxSize)
      throw new BootsealError('repo/too-large', `object ${digest} has ${size} bytes, over ${maxSize}`);
    bytes = await readFile(file);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new BootsealError('repo/missing-object', `object ${digest} is not in the repository`, {
      cause: error,
      exit: 1,
    });
  }
  if (encodeHex(verityDigest(bytes, repo.meta.algorithm)) === digest) return bytes;
  throw new BootsealError('repo/bad-object', `object ${digest} was changed: its content has another digest`, {
    exit: 1,
  });
}

/** The object that `images/NAME` or `streams/NAME` leads to; undefined where there is no such link. */
export async function objectOf(repo: ComposefsRepo, link: string): Promise<string | undefined> {
  let target: string;
  try {
    target = await readlink(join(repo.path, link));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw cannotRead(link, error);
  }
  const digest = linkedObject(target, repo.meta.algorithm);
  if (digest === undefined) {
    throw new BootsealError(
      'repo/bad-link',
      `${link} leads to ${JSON.stringify(target)}, which is no object`,
      { exit: 1 },
    );
  }
  return digest;
}

/** Names in a folder of the repository, sorted; none where it is missing. */
export async function namesIn(repo: ComposefsRepo, folder: string): Promise<string[]> {
  try {
    return (await readdir(join(repo.path, folder))).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw cannotRead(folder, error);
  }
}

/** Links below `images/refs` or `streams/refs`, at any depth: path below the repository → what the link says. */
export async function refsIn(
  repo: ComposefsRepo,
  category: 'images' | 'streams',
): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  const folders = [`${category}/refs`];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await readdir(join(repo.path, folder), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isSymbolicLink()) refs.set(path, await readlink(join(repo.path, path)));
    }
  }
  return refs;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw cannotRead(path, error);
  }
}

async function isEmpty(path: string): Promise<boolean> {
  const names = await readdir(path).catch(() => []);
  return names.length === 0;
}
