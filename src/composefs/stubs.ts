/** Whiteout devices in a tree, and those that versions 0 and 1 add to its root. */
import { equalBytes } from '../bytes/bytes.ts';
import type { Directory, Leaf, Stat, TreeNode } from './tree.ts';

export function isWhiteout(node: TreeNode): boolean {
  return node.kind === 'character' && node.rdev === 0;
}

export function hasWhiteout(directory: Directory, stubs: ReadonlySet<Leaf>): boolean {
  for (const child of directory.children.values()) {
    if (isWhiteout(child) && !stubs.has(child as Leaf)) return true;
  }
  return false;
}

/**
 * The root with a whiteout for each of the 256 folders of objects, so that a lower file system holding those does
 * not show. A root entry of that name stays; one that is exactly such a whiteout counts as the stub.
 */
export function withStubs(root: Directory): { directory: Directory; stubs: ReadonlySet<Leaf> } {
  const children = new Map(root.children);
  const stubs = new Set<Leaf>();
  const label = root.stat.xattrs.get('security.selinux');
  const stat: Stat = {
    ...root.stat,
    mode: 0o644,
    xattrs: label === undefined ? new Map() : new Map([['security.selinux', label]]),
  };
  for (let byte = 0; byte < 256; byte++) {
    const name = byte.toString(16).padStart(2, '0');
    const existing = children.get(name);
    if (existing === undefined) {
      const stub: Leaf = { kind: 'character', stat, rdev: 0 };
      children.set(name, stub);
      stubs.add(stub);
    } else if (existing.kind === 'character' && existing.rdev === 0 && sameStat(existing.stat, stat)) {
      stubs.add(existing);
    }
  }
  return { directory: { kind: 'directory', stat: root.stat, children }, stubs };
}

function sameStat(a: Stat, b: Stat): boolean {
  return (
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.mtime.seconds === b.mtime.seconds &&
    a.mtime.nanos === b.mtime.nanos &&
    a.xattrs.size === b.xattrs.size &&
    [...a.xattrs].every(([name, value]) => {
      const other = b.xattrs.get(name);
      return other !== undefined && equalBytes(value, other);
    })
  );
}
