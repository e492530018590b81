/** What `mkcomposefs` leaves out of a directory when told to. */
import { cloneTree, type Directory, type Leaf, type Tree } from './tree.ts';

export interface TreeFilter {
  /** All times 0. */
  readonly useEpoch?: boolean;
  /** Which extended attributes stay; all by default. */
  readonly xattrs?: 'none' | 'user';
  /** Without character and block devices. */
  readonly skipDevices?: boolean;
  /** Each name of a file is a file of its own. */
  readonly splitHardlinks?: boolean;
}

/** A new tree; the old one stays as it is. */
export function filterTree(tree: Tree, filter: TreeFilter): Tree {
  const filtered = cloneTree(tree, (stat) => {
    const xattrs =
      filter.xattrs === undefined
        ? stat.xattrs
        : new Map([...stat.xattrs].filter(([name]) => filter.xattrs === 'user' && name.startsWith('user.')));
    return { ...stat, xattrs, ...(filter.useEpoch === true && { mtime: { seconds: 0n, nanos: 0 } }) };
  });
  const seen = new Set<Leaf>();
  const open: Directory[] = [filtered.root];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const [name, node] of directory.children) {
      if (node.kind === 'directory') {
        open.push(node);
      } else if (filter.skipDevices === true && (node.kind === 'character' || node.kind === 'block')) {
        directory.children.delete(name);
      } else if (filter.splitHardlinks === true) {
        if (seen.has(node)) directory.children.set(name, { ...node });
        else seen.add(node);
      }
    }
  }
  return filtered;
}

/** Whether a file has more than one name. */
export function hasHardlinks(tree: Tree): boolean {
  const seen = new Set<Leaf>();
  const open: Directory[] = [tree.root];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const node of directory.children.values()) {
      if (node.kind === 'directory') open.push(node);
      else if (seen.has(node)) return true;
      else seen.add(node);
    }
  }
  return false;
}
