/** Tar entries of the layers that sealing adds, with everything around them as the base image has it. */
import type { Parts } from '../bytes/rope.ts';
import { lookup, type Stat, type Time, type Tree } from '../composefs/tree.ts';
import { BootsealError } from '../errors.ts';
import type { TarEntry } from '../formats/tar/format.ts';
import type { LayerFile } from './layer.ts';

/**
 * Entries of all folders above the paths, outermost first, as they are in the tree; those that are not there yet
 * are made with mode 0755, owner 0 and the given time.
 *
 * A layer that leaves its parents out would do for composefs, but a runtime that unpacks it makes them anew, with
 * another time: the mounted tree and the digest would then disagree.
 */
export function parentEntries(tree: Tree, paths: readonly string[], time: Time): LayerFile[] {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at));
  }
  // In byte order a folder stands before what it holds.
  return [...folders].sort().map((path) => {
    const node = lookup(tree, path);
    if (node !== undefined && node.kind !== 'directory') {
      throw new BootsealError('seal/not-directory', `/${path} is a ${node.kind}, and must be a directory`);
    }
    const stat = node?.stat ?? {
      mode: 0o755,
      uid: 0,
      gid: 0,
      mtime: time,
      xattrs: new Map<string, Uint8Array>(),
    };
    return { entry: entryOf(path, 'directory', stat) };
  });
}

/** Removes what the layers below have at the path: `.wh.NAME` beside it, OCI image-spec layer.md "Whiteouts". */
export function whiteout(path: string, time: Time): LayerFile {
  const slash = path.lastIndexOf('/') + 1;
  const marker = `${path.slice(0, slash)}.wh.${path.slice(slash)}`;
  return { entry: entryOf(marker, 'file', { mode: 0, uid: 0, gid: 0, mtime: time, xattrs: new Map() }) };
}

export function fileEntry(path: string, stat: Stat, content: Parts): LayerFile {
  return { entry: entryOf(path, 'file', stat), content };
}

function entryOf(path: string, type: TarEntry['type'], stat: Stat): TarEntry {
  const { mode, uid, gid, mtime, xattrs } = stat;
  return { path, type, mode, uid, gid, mtime, xattrs };
}
