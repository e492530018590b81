/** The inodes of version 2: numbered depth first, nothing escaped but attribute names, no stubs. */
import type { ErofsInode, ErofsXattr } from '../formats/erofs/format.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { bodyOf, directoryLinks, makeInode, type OpenDirent } from './inode.ts';
import { countLinks } from './links.ts';
import { contentXattrs, escapeName } from './overlay-xattrs.ts';
import { sortedChildren, type Directory, type Leaf, type Tree, type TreeNode } from './tree.ts';

interface OpenDirectory {
  readonly number: number;
  readonly entries: OpenDirent[];
  readonly children: readonly [string, TreeNode][];
  next: number;
}

/** Throws `composefs/hardlinked-whiteout`. */
export function inodesV2(tree: Tree, algorithm: VerityAlgorithm): ErofsInode[] {
  const links = countLinks(tree);
  const inodes: ErofsInode[] = [];
  const leafNumbers = new Map<Leaf, number>();
  const stack: OpenDirectory[] = [];

  function open(directory: Directory, parent: number | undefined): number {
    const number = inodes.length;
    const entries: OpenDirent[] = [];
    inodes.push(
      makeInode(directory, directoryLinks(directory), xattrsV2(directory), {
        kind: 'directory',
        parent: parent ?? number,
        entries,
      }),
    );
    stack.push({ number, entries, children: sortedChildren(directory), next: 0 });
    return number;
  }

  /** Metacopy and redirect first, then the image's own, sorted by the names they had. */
  function xattrsV2(node: TreeNode): ErofsXattr[] {
    const own = [...node.stat.xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      ...contentXattrs(node, algorithm),
      ...own.map(([name, value]) => ({ name: escapeName(name), value })),
    ];
  }

  open(tree.root, undefined);
  while (stack.length > 0) {
    const current = stack.at(-1)!;
    const child = current.children[current.next];
    if (child === undefined) {
      stack.pop();
      continue;
    }
    current.next += 1;
    const [name, node] = child;
    const entry: OpenDirent = { name, inode: 0 };
    current.entries.push(entry);
    if (node.kind === 'directory') {
      entry.inode = open(node, current.number);
      continue;
    }
    let number = leafNumbers.get(node);
    if (number === undefined) {
      number = inodes.length;
      leafNumbers.set(node, number);
      inodes.push(makeInode(node, links.get(node)?.count ?? 1, xattrsV2(node), bodyOf(node)));
    }
    entry.inode = number;
  }
  return inodes;
}
