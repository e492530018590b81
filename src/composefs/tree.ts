/**
 * The file tree of an image. Names and link targets are byte strings kept one byte a character (Latin-1), so that
 * comparing two of them with `<` compares their bytes, which is the order of every composefs format.
 *
 * A hardlink is one leaf object under two names.
 */
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';

/** Seconds since 1970 and the nanoseconds to add to them. */
export interface Time {
  readonly seconds: bigint;
  readonly nanos: number;
}

export interface Stat {
  /** Permission bits, 0–07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Time;
  /** Names a byte a character, values raw. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** Files up to this many bytes are kept in the image itself, in every version of the format. */
export const INLINE_MAX = 64;

export type VerityDigests = Partial<Record<VerityAlgorithm, Uint8Array>>;

export type RegularContent =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'external';
      readonly size: number;
      /** fs-verity digests of the content. Filled in while a layer is read; complete once it has been. */
      readonly digests: VerityDigests;
      /** Path of the object where it is not that of the digest; empty for none. */
      readonly payload?: string;
      /** Number of the entry that it came in, counted from 1 over all layers. */
      readonly entry?: number;
      /** The content itself, where the reader of the layers asked for it. */
      readonly captured?: Uint8Array;
    };

export interface Directory {
  readonly kind: 'directory';
  stat: Stat;
  readonly children: Map<string, TreeNode>;
}

export interface RegularFile {
  readonly kind: 'regular';
  stat: Stat;
  readonly content: RegularContent;
}

export interface Symlink {
  readonly kind: 'symlink';
  stat: Stat;
  readonly target: string;
}

export interface Device {
  readonly kind: 'character' | 'block';
  stat: Stat;
  /** As the kernel encodes it in 32 bits: see {@link makeDevice}. */
  readonly rdev: number;
}

export interface Special {
  readonly kind: 'fifo' | 'socket';
  stat: Stat;
}

export type Leaf = RegularFile | Symlink | Device | Special;
export type TreeNode = Directory | Leaf;

export interface Tree {
  readonly root: Directory;
}

/** Major 0–4095, minor 0–1048575, in the order of bits of the kernel's `new_encode_dev`. */
export function makeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

export const EMPTY_STAT: Stat = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0n, nanos: 0 },
  xattrs: new Map(),
};

export function emptyTree(): Tree {
  return { root: { kind: 'directory', stat: EMPTY_STAT, children: new Map() } };
}

/** The node at a path such as `usr/lib/os-release`. Symbolic links are not followed. `''` is the root. */
export function lookup(tree: Tree, path: string): TreeNode | undefined {
  let node: TreeNode | undefined = tree.root;
  for (const name of path.split('/')) {
    if (name === '') continue;
    if (node?.kind !== 'directory') return undefined;
    node = node.children.get(name);
  }
  return node;
}

/** Bytes of a regular file that is in memory: inline, or captured while its layer was read. */
export function contentOf(node: TreeNode | undefined): Uint8Array | undefined {
  if (node?.kind !== 'regular') return undefined;
  return node.content.kind === 'inline' ? node.content.bytes : node.content.captured;
}

export function contentSize(file: RegularFile): number {
  return file.content.kind === 'inline' ? file.content.bytes.length : file.content.size;
}

/** Children in byte order of their names. */
export function sortedChildren(directory: Directory): [name: string, node: TreeNode][] {
  return [...directory.children].sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * Calls `visit` for every node: a directory before its children, children in byte order. Paths have no leading
 * slash; the root is `''`. Not recursive: a hostile tree may be a hundred thousand levels deep.
 */
export function walkTree(tree: Tree, visit: (path: string, node: TreeNode) => void): void {
  const stack: [path: string, node: TreeNode][] = [['', tree.root]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [path, node] = next;
    visit(path, node);
    if (node.kind !== 'directory') continue;
    const children = sortedChildren(node);
    for (let index = children.length - 1; index >= 0; index--) {
      const [name, child] = children[index];
      stack.push([path === '' ? name : `${path}/${name}`, child]);
    }
  }
}

/**
 * A tree that shares contents with the old one, but no directory and no leaf. Hardlinks stay hardlinks.
 * `change` may give each node another stat.
 */
export function cloneTree(tree: Tree, change: (stat: Stat) => Stat = (stat) => stat): Tree {
  const leaves = new Map<Leaf, Leaf>();
  const root: Directory = { kind: 'directory', stat: change(tree.root.stat), children: new Map() };
  const stack: [from: Directory, to: Directory][] = [[tree.root, root]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [from, to] = next;
    for (const [name, node] of from.children) {
      if (node.kind === 'directory') {
        const copy: Directory = { kind: 'directory', stat: change(node.stat), children: new Map() };
        to.children.set(name, copy);
        stack.push([node, copy]);
        continue;
      }
      let copy = leaves.get(node);
      if (copy === undefined) leaves.set(node, (copy = { ...node, stat: change(node.stat) }));
      to.children.set(name, copy);
    }
  }
  return { root };
}

/** Names, hardlinked names counted once each, and the root. */
export function countPaths(tree: Tree): number {
  let count = 0;
  walkTree(tree, () => (count += 1));
  return count;
}
