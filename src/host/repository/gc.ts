/**
 * Garbage collection as composefs-rs does it: what the names below `images/refs` and `streams/refs` lead to stays,
 * with all that it refers to; every other object goes, and then the links that lead nowhere.
 */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BootsealError } from '../../errors.ts';
import { isObjectDigest } from '../../formats/composefs-repo/names.ts';
import { withRepoLock } from '../../stores/composefs-repo/lock.ts';
import { namesIn, type ComposefsRepo } from '../../stores/composefs-repo/repository.ts';
import { removeStagings } from '../../stores/composefs-repo/staging.ts';
import { linksIn, readStream, rootsOf } from './contents.ts';
import { imageObjects } from './image-objects.ts';

export interface GcOptions {
  /** Names in `images/` or `streams/` to keep as well: those that boot entries hold, for example. */
  readonly keep?: readonly string[];
  readonly dryRun?: boolean;
}

export interface GcResult {
  readonly kept: number;
  readonly removed: number;
  /** Bytes of the objects removed. */
  readonly bytes: number;
  /** Links that led nowhere. */
  readonly pruned: number;
}

/** Throws what reading the streams throws: where it is not known what is needed, nothing is removed. */
export async function collectGarbage(repo: ComposefsRepo, options: GcOptions = {}): Promise<GcResult> {
  return withRepoLock(repo.path, 'exclusive', async () => {
    const live = await liveObjects(repo, options.keep ?? []);
    let removed = 0;
    let bytes = 0;
    const present = new Set<string>();
    for (const folder of await namesIn(repo, 'objects')) {
      for (const name of await namesIn(repo, `objects/${folder}`)) {
        const digest = folder + name;
        // What has no name of an object is not ours to remove.
        if (!isObjectDigest(digest, repo.meta.algorithm)) continue;
        if (live.has(digest)) {
          present.add(digest);
          continue;
        }
        const path = join(repo.path, 'objects', folder, name);
        removed += 1;
        bytes += (await stat(path)).size;
        if (options.dryRun !== true) await rm(path);
      }
    }
    const pruned = await pruneLinks(repo, present, options.dryRun === true);
    if (options.dryRun !== true) await removeStagings(repo);
    return { kept: present.size, removed, bytes, pruned };
  });
}

async function liveObjects(repo: ComposefsRepo, keep: readonly string[]): Promise<Set<string>> {
  const fail = (error: unknown): never => {
    throw error;
  };
  const live = new Set<string>();
  // 1. Images, and the files in them.
  const images = await linksIn(repo, 'images', fail);
  const imageNames = [
    ...(await rootsOf(repo, 'images')).values(),
    ...keep.filter((name) => images.has(name)),
  ];
  for (const name of imageNames) {
    const digest = name === undefined ? undefined : images.get(name);
    if (digest === undefined) continue;
    live.add(digest);
    for (const object of await imageObjects(repo, digest)) live.add(object);
  }
  // 2. Streams, and whatever they name, again and again.
  const streams = await linksIn(repo, 'streams', fail);
  const byName = [...(await rootsOf(repo, 'streams')).values(), ...keep.filter((name) => streams.has(name))];
  const waiting = byName.flatMap((name) => (name === undefined ? [] : (streams.get(name) ?? [])));
  const isStream = new Set(streams.values());
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    if (live.has(digest)) continue;
    live.add(digest);
    if (!isStream.has(digest)) continue;
    const { objectRefs, namedRefs } = await readStream(repo, digest);
    for (const object of objectRefs) live.add(object);
    waiting.push(...namedRefs.values());
  }
  for (const name of keep) {
    if (images.has(name) || streams.has(name)) continue;
    throw new BootsealError(
      'repo/bad-link',
      `${JSON.stringify(name)} is no image or stream of this repository`,
      { exit: 2 },
    );
  }
  return live;
}

async function pruneLinks(
  repo: ComposefsRepo,
  present: ReadonlySet<string>,
  dryRun: boolean,
): Promise<number> {
  let pruned = 0;
  for (const category of ['images', 'streams'] as const) {
    const links = await linksIn(repo, category, () => undefined);
    for (const [name, digest] of links) {
      if (present.has(digest)) continue;
      pruned += 1;
      if (!dryRun) await rm(join(repo.path, category, name), { force: true });
    }
    for (const [path, name] of await rootsOf(repo, category)) {
      const digest = name === undefined ? undefined : links.get(name);
      if (digest !== undefined && present.has(digest)) continue;
      pruned += 1;
      if (!dryRun) await rm(join(repo.path, path), { force: true });
    }
  }
  return pruned;
}
