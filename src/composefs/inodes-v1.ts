/** The inodes of versions 0 and 1: numbered breadth first, whiteouts escaped, 256 stubs in the root. */
import type { ErofsInode } from '../formats/erofs/format.ts';
import { compareFullNames } from '../formats/erofs/xattrs.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { bodyOf, directoryLinks, makeInode, type OpenDirent } from './inode.ts';
import { countLinks, type LeafLinks } from './links.ts';
import {
  contentXattrs,
  escapedXattrs,
  ROOT_OPAQUE,
  whiteoutParentXattrs,
  WHITEOUT_XATTRS,
} from './overlay-xattrs.ts';
import { hasWhiteout, isWhiteout, withStubs } from './stubs.ts';
import { sortedChildren, type Directory, type Leaf, type Tree } from './tree.ts';

/** Throws `composefs/hardlinked-whiteout`. */
export function inodesV1(tree: Tree, version: 0 | 1, algorithm: VerityAlgorithm): ErofsInode[] {
  const links = countLinks(tree);
  const root = withStubs(tree.root);
  const inodes: ErofsInode[] = [];
  const leafNumbers = new Map<Leaf, number>();
  const unresolved: [OpenDirent, Leaf][] = [];
  const queue: { directory: Directory; number: number; parent: number; entries: OpenDirent[] }[] = [];

  function addDirectory(directory: Directory, parent: number): number {
    const number = inodes.length;
    const entries: OpenDirent[] = [];
    const isRoot = number === 0;
    const shown = isRoot ? root.directory : directory;
    const marks = hasWhiteout(shown, root.stubs) ? whiteoutParentXattrs(version) : [];
    const xattrs = [...escapedXattrs(directory.stat.xattrs), ...marks, ...(isRoot ? [ROOT_OPAQUE] : [])];
    const body = { kind: 'directory', parent, entries } as const;
    inodes.push(makeInode(directory, directoryLinks(directory), xattrs.sort(compareFullNames), body));
    queue.push({ directory: shown, number, parent, entries });
    return number;
  }

  function addLeaf(leaf: Leaf): number {
    const escaped = isWhiteout(leaf) && !root.stubs.has(leaf);
    const xattrs = [
      ...escapedXattrs(leaf.stat.xattrs),
      ...(escaped ? WHITEOUT_XATTRS : contentXattrs(leaf, algorithm)),
    ];
    xattrs.sort(compareFullNames);
    const inode = makeInode(leaf, links.get(leaf)?.count ?? 1, xattrs, bodyOf(leaf));
    inodes.push(escaped ? { ...inode, type: 'regular', body: { kind: 'none' } } : inode);
    return inodes.length - 1;
  }

  addDirectory(tree.root, 0);
  for (let at = 0; at < queue.length; at++) {
    const { directory, number, entries } = queue[at];
    for (const [name, node] of sortedChildren(directory)) {
      const entry: OpenDirent = { name, inode: 0 };
      entries.push(entry);
      if (node.kind === 'directory') {
        entry.inode = addDirectory(node, number);
        continue;
      }
      // A hardlinked file gets its number at the first of its names in depth-first order.
      const link = links.get(node);
      if (
        link === undefined ||
        (link.parent === directory && link.name === name) ||
        isRootName(link, directory, name)
      ) {
        entry.inode = addLeaf(node);
        if (link !== undefined && link.count > 1) leafNumbers.set(node, entry.inode);
      } else {
        unresolved.push([entry, node]);
      }
    }
  }
  for (const [entry, leaf] of unresolved) entry.inode = leafNumbers.get(leaf)!;
  return inodes;

  /** The root is walked with its stubs, as another object than the tree's. */
  function isRootName(link: LeafLinks, directory: Directory, name: string): boolean {
    return directory === root.directory && link.parent === tree.root && link.name === name;
  }
}
