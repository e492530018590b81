/** One inode of an image from one node of a tree: what all versions of the format have in common. */
import { encodeLatin1 } from '../bytes/bytes.ts';
import type { ErofsBody, ErofsDirent, ErofsInode, ErofsXattr } from '../formats/erofs/format.ts';
import type { Directory, Leaf, TreeNode } from './tree.ts';

/** Directory entries are filled in while the numbers become known. */
export type OpenDirent = { -readonly [Key in keyof ErofsDirent]: ErofsDirent[Key] };

export function makeInode(
  node: TreeNode,
  nlink: number,
  xattrs: readonly ErofsXattr[],
  body: ErofsBody,
): ErofsInode {
  const { mode, uid, gid, mtime } = node.stat;
  return {
    type: node.kind,
    mode,
    uid,
    gid,
    seconds: BigInt.asUintN(64, mtime.seconds),
    nanos: mtime.nanos,
    nlink,
    xattrs,
    body,
  };
}

export function bodyOf(leaf: Leaf): ErofsBody {
  switch (leaf.kind) {
    case 'regular':
      return leaf.content.kind === 'inline'
        ? { kind: 'data', bytes: leaf.content.bytes }
        : { kind: 'external', size: leaf.content.size };
    case 'symlink':
      return { kind: 'symlink', target: encodeLatin1(leaf.target) };
    case 'character':
    case 'block':
      return { kind: 'device', rdev: leaf.rdev };
    case 'fifo':
    case 'socket':
    default:
      return { kind: 'none' };
  }
}

/** Its own entry, its parent's, and the `..` of each directory in it. */
export function directoryLinks(directory: Directory): number {
  let links = 2;
  for (const child of directory.children.values()) if (child.kind === 'directory') links += 1;
  return links;
}
