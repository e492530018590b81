/** What a repository holds, followed from its names: streams with what they refer to. Nothing is written. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join, posix } from 'node:path';
import { BootsealError } from '../../errors.ts';
import { objectFile } from '../../formats/composefs-repo/names.ts';
import type { SplitStream } from '../../formats/splitstream/format.ts';
import { MAX_SPLITSTREAM_SIZE, readSplitStream } from '../../formats/splitstream/reader.ts';
import {
  namesIn,
  objectOf,
  readObject,
  refsIn,
  type ComposefsRepo,
} from '../../stores/composefs-repo/repository.ts';
import { zstdDecoder } from '../../stores/zstd/decoder.ts';

/** Links of `images/` or `streams/`: name → digest of the object. Those that lead nowhere are left out. */
export async function linksIn(
  repo: ComposefsRepo,
  category: 'images' | 'streams',
  onProblem: (error: unknown, path: string) => void,
): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  for (const name of await namesIn(repo, category)) {
    if (name === 'refs') continue;
    try {
      const digest = await objectOf(repo, `${category}/${name}`);
      if (digest !== undefined) links.set(name, digest);
    } catch (error) {
      onProblem(error, `${category}/${name}`);
    }
  }
  return links;
}

/** References below `refs`: path → the name in its category that it means. */
export async function rootsOf(
  repo: ComposefsRepo,
  category: 'images' | 'streams',
): Promise<Map<string, string | undefined>> {
  const roots = new Map<string, string | undefined>();
  for (const [path, target] of await refsIn(repo, category)) {
    const resolved = posix.normalize(posix.join(posix.dirname(path), target));
    const inside = resolved.startsWith(`${category}/`) && !target.startsWith('/');
    roots.set(path, inside ? resolved.slice(category.length + 1) : undefined);
  }
  return roots;
}

/** The stream in an object, checked against its digest. Throws `repo/…`, `splitstream/…`, `zstd/…`. */
export async function readStream(repo: ComposefsRepo, digest: string): Promise<SplitStream> {
  const bytes = await readObject(repo, digest, MAX_SPLITSTREAM_SIZE);
  const stream = await readSplitStream(bytes, zstdDecoder());
  if (stream.algorithm === repo.meta.algorithm) return stream;
  throw new BootsealError('splitstream/malformed', `a stream of ${stream.algorithm} in this repository`, {
    exit: 1,
  });
}

/** SHA-256 of the whole content, in hexadecimal, and its length. Objects are read as they are. */
export async function contentDigest(
  repo: ComposefsRepo,
  stream: SplitStream,
): Promise<{ readonly sha256: string; readonly size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for (const chunk of stream.chunks) {
    if (chunk.kind === 'inline') {
      hash.update(chunk.bytes);
      size += chunk.bytes.length;
      continue;
    }
    for await (const bytes of createReadStream(join(repo.path, objectFile(chunk.digest)), {
      highWaterMark: 1024 * 1024,
    })) {
      hash.update(bytes as Uint8Array);
      size += (bytes as Uint8Array).length;
    }
  }
  return { sha256: hash.digest('hex'), size };
}
