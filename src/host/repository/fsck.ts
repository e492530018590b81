/**
 * Is everything in a repository what its name says? Objects by their fs-verity digest, as cfsctl checks them, and then
 * what it does not: that a layer's stream has the diffID it is filed under, that manifest and configuration have
 * their digests, and that an image names only objects that are there.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { encodeHex } from '../../bytes/hex.ts';
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import { isObjectDigest, objectFile } from '../../formats/composefs-repo/names.ts';
import { createVerityHasher } from '../../formats/fsverity/digest.ts';
import { withRepoLock } from '../../stores/composefs-repo/lock.ts';
import { namesIn, type ComposefsRepo } from '../../stores/composefs-repo/repository.ts';
import { contentDigest, linksIn, readStream, rootsOf } from './contents.ts';
import { imageObjects } from './image-objects.ts';

export interface RepoProblem {
  readonly code: ErrorCode;
  /** Below the repository. Untrusted text. */
  readonly path: string;
  readonly message: string;
}

export interface FsckResult {
  readonly objects: number;
  readonly streams: number;
  readonly images: number;
  readonly names: number;
  readonly problems: readonly RepoProblem[];
}

export interface FsckPorts {
  /** Bytes of objects read so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export async function fsckRepo(repo: ComposefsRepo, ports: FsckPorts = {}): Promise<FsckResult> {
  return withRepoLock(repo.path, 'shared', async () => {
    const problems: RepoProblem[] = [];
    const report = (error: unknown, path: string): void => {
      if (!isBootsealError(error)) throw error;
      problems.push({ code: error.code, path, message: error.message });
    };
    const objects = await checkObjects(repo, ports, problems);
    const streams = await linksIn(repo, 'streams', report);
    for (const [name, digest] of streams) {
      ports.signal?.throwIfAborted();
      await checkStream(repo, name, digest, objects, problems).catch((error: unknown) =>
        report(error, `streams/${name}`),
      );
    }
    const images = await linksIn(repo, 'images', report);
    for (const [name, digest] of images) {
      await checkImage(repo, name, digest, objects, problems).catch((error: unknown) =>
        report(error, `images/${name}`),
      );
    }
    const roots = [
      ...[...(await rootsOf(repo, 'streams'))].map(([path, name]) => ({
        path,
        there: name !== undefined && streams.has(name),
      })),
      ...[...(await rootsOf(repo, 'images'))].map(([path, name]) => ({
        path,
        there: name !== undefined && images.has(name),
      })),
    ];
    for (const { path, there } of roots) {
      if (!there) problems.push({ code: 'repo/bad-link', path, message: 'the name leads nowhere' });
    }
    return {
      objects: objects.size,
      streams: streams.size,
      images: images.size,
      names: roots.length,
      problems,
    };
  });
}

/** Digests of the objects that are there, changed ones too. */
async function checkObjects(
  repo: ComposefsRepo,
  ports: FsckPorts,
  problems: RepoProblem[],
): Promise<Set<string>> {
  const objects = new Set<string>();
  let read = 0;
  for (const folder of await namesIn(repo, 'objects')) {
    for (const name of await namesIn(repo, `objects/${folder}`)) {
      ports.signal?.throwIfAborted();
      const digest = folder + name;
      const path = `objects/${folder}/${name}`;
      if (folder.length !== 2 || !isObjectDigest(digest, repo.meta.algorithm)) {
        problems.push({ code: 'repo/bad-name', path, message: 'no name of an object' });
        continue;
      }
      const hasher = createVerityHasher(repo.meta.algorithm);
      for await (const bytes of createReadStream(join(repo.path, objectFile(digest)), {
        highWaterMark: 1024 * 1024,
      })) {
        hasher.update(bytes as Uint8Array);
        read += (bytes as Uint8Array).length;
        ports.onProgress?.(read);
      }
      const found = encodeHex(hasher.digest());
      objects.add(digest);
      if (found !== digest) {
        problems.push({ code: 'repo/bad-object', path, message: `its content has the digest ${found}` });
      }
    }
  }
  return objects;
}

async function checkStream(
  repo: ComposefsRepo,
  name: string,
  digest: string,
  objects: ReadonlySet<string>,
  problems: RepoProblem[],
): Promise<void> {
  const path = `streams/${name}`;
  if (!allPresent([digest], objects, path, problems)) return;
  // 1. Readable, and complete.
  const stream = await readStream(repo, digest);
  if (!allPresent([...stream.objectRefs, ...stream.namedRefs.values()], objects, path, problems)) return;
  // 2. What it is filed under is what it is.
  const content = await contentDigest(repo, stream);
  if (content.size !== stream.contentSize) {
    problems.push({
      code: 'repo/bad-stream',
      path,
      message: `${content.size} bytes, not ${stream.contentSize}`,
    });
  }
  const claimed = /^oci-(?:layer|manifest|config|blob)-sha256:([0-9a-f]{64})$/.exec(name)?.[1];
  if (claimed !== undefined && claimed !== content.sha256) {
    problems.push({
      code: 'repo/misfiled',
      path,
      message: `filed under sha256:${claimed}, but its content is sha256:${content.sha256}`,
    });
  }
}

async function checkImage(
  repo: ComposefsRepo,
  name: string,
  digest: string,
  objects: ReadonlySet<string>,
  problems: RepoProblem[],
): Promise<void> {
  const path = `images/${name}`;
  if (name !== digest)
    problems.push({ code: 'repo/misfiled', path, message: `leads to the image ${digest}` });
  if (!allPresent([digest], objects, path, problems)) return;
  allPresent(await imageObjects(repo, digest), objects, path, problems);
}

/** Tells of each that is missing. Whether one that is there was changed has been told already. */
function allPresent(
  wanted: Iterable<string>,
  objects: ReadonlySet<string>,
  path: string,
  problems: RepoProblem[],
): boolean {
  const before = problems.length;
  for (const object of wanted) {
    if (objects.has(object)) continue;
    problems.push({ code: 'repo/missing-object', path, message: `object ${object} is not there` });
  }
  return problems.length === before;
}
