/** The order of inodes: which node comes when, in each version of the format. */
import { compareInArena } from '../bytes/byte-table.ts';
import { FILE_TYPES } from '../formats/erofs/format.ts';
import { PARENT, SELF, TYPE_BITS, type InodeList } from '../formats/erofs/node-table.ts';
import { rulesDiffer, type ImageRules } from './image-rules.ts';
import { NONE, type PackedTree } from './packed-tree.ts';
import { nodePath } from './node-path.ts';

/** Children of directory `n`, in byte order of their names: `nodes[start[n] … start[n + 1])`. */
export interface Children {
  readonly nodes: Int32Array;
  readonly start: Int32Array;
}

export function isDirectory({ nodes }: PackedTree, node: number): boolean {
  return (nodes.mode[node] & TYPE_BITS) === FILE_TYPES.directory.mode;
}

export function sortChildren({ nodes: { names, arena } }: PackedTree): Children {
  const { count, tags, at, lengths } = names;
  // 1. Counting sort by directory.
  const start = new Int32Array(count + 1);
  for (let node = 1; node < count; node++) start[tags[node] + 1] += 1;
  for (let node = 0; node < count; node++) start[node + 1] += start[node];
  const next = start.slice(0, count);
  const nodes = new Int32Array(count - 1);
  for (let node = 1; node < count; node++) nodes[next[tags[node]]++] = node;

  // 2. By name within each. Most trees come in order.
  const order = (a: number, b: number): number =>
    compareInArena(arena.bytes, at[a], lengths[a], at[b], lengths[b]);
  for (let directory = 0; directory < count; directory++) {
    const end = start[directory + 1];
    for (let index = start[directory] + 1; index < end; index++) {
      if (order(nodes[index - 1], nodes[index]) < 0) continue;
      nodes.subarray(start[directory], end).sort(order);
      break;
    }
  }
  return { nodes, start };
}

/** Calls `visit` for each name: a directory before its children. Not recursive: trees may be very deep. */
function walkDepthFirst({ nodes, start }: Children, visit: (node: number) => void): void {
  const stack = [0];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    visit(node);
    for (let index = start[node + 1] - 1; index >= start[node]; index--) stack.push(nodes[index]);
  }
}

export interface Numbering {
  /** Nodes in the order of their inodes. */
  readonly order: Int32Array;
  /** By node. */
  readonly inodeOf: Int32Array;
}

/** What a name is a name of. */
export function bodyOf({ link }: PackedTree, node: number): number {
  return link[node] === NONE ? node : link[node];
}

/**
 * Versions 0 and 1: breadth first. A file of several names gets its number at the first of them in depth-first order;
 * C takes the name that the dump gives the file's line to. Throws `composefs/rules-differ`.
 */
export function numberBreadthFirst(tree: PackedTree, children: Children, rules: ImageRules): Numbering {
  const { count } = tree.nodes.names;
  const home = tree.hardlinks > 0 && rules !== 'c' ? firstNames(tree, children) : undefined;
  if (rules === 'strict') home?.forEach((name, body) => checkHome(tree, name, body));
  const order = new Int32Array(count - tree.hardlinks);
  const inodeOf = new Int32Array(count);
  let inodes = 1;
  for (let inode = 0; inode < inodes; inode++) {
    const directory = order[inode];
    if (!isDirectory(tree, directory)) continue;
    for (let index = children.start[directory]; index < children.start[directory + 1]; index++) {
      const node = children.nodes[index];
      const body = bodyOf(tree, node);
      if (node !== (home?.get(body) ?? body)) continue;
      inodeOf[body] = inodes;
      order[inodes++] = body;
    }
  }
  return finishNumbering(tree, { order, inodeOf });
}

/** Version 2: depth first, a file at the first of its names. */
export function numberDepthFirst(tree: PackedTree, children: Children): Numbering {
  const { count } = tree.nodes.names;
  const order = new Int32Array(count - tree.hardlinks);
  const inodeOf = new Int32Array(count).fill(NONE);
  let inodes = 0;
  walkDepthFirst(children, (node) => {
    const body = bodyOf(tree, node);
    if (inodeOf[body] !== NONE) return;
    inodeOf[body] = inodes;
    order[inodes++] = body;
  });
  return finishNumbering(tree, { order, inodeOf });
}

function finishNumbering(tree: PackedTree, numbering: Numbering): Numbering {
  if (tree.hardlinks === 0) return numbering;
  const { inodeOf } = numbering;
  for (let node = 0; node < inodeOf.length; node++) inodeOf[node] = inodeOf[bodyOf(tree, node)];
  return numbering;
}

/** For each file of several names, the first of them in depth-first order. */
function firstNames(tree: PackedTree, children: Children): Map<number, number> {
  const linked = new Set<number>();
  for (let node = 0; node < tree.nodes.names.count; node++) {
    if (tree.link[node] !== NONE) linked.add(tree.link[node]);
  }
  const first = new Map<number, number>();
  walkDepthFirst(children, (node) => {
    const body = bodyOf(tree, node);
    if (linked.has(body) && !first.has(body)) first.set(body, node);
  });
  return first;
}

function checkHome(tree: PackedTree, name: number, body: number): void {
  if (name === body) return;
  throw rulesDiffer('a hardlink comes before its file in the order of names', nodePath(tree.nodes, name));
}

/** Entries of all directories, with `.` and `..` where their bytes put them. */
export function listDirents(
  tree: PackedTree,
  children: Children,
  { order }: Numbering,
): Pick<InodeList, 'dirents' | 'direntStart'> {
  const { names, arena } = tree.nodes;
  let directories = 0;
  for (const node of order) if (isDirectory(tree, node)) directories += 1;
  const dirents = new Int32Array(names.count - 1 + 2 * directories);
  const direntStart = new Int32Array(order.length + 1);
  let to = 0;
  for (let inode = 0; inode < order.length; inode++) {
    direntStart[inode] = to;
    const directory = order[inode];
    if (!isDirectory(tree, directory)) continue;
    let dots = SELF;
    for (let index = children.start[directory]; index < children.start[directory + 1]; index++) {
      const node = children.nodes[index];
      while (dots >= PARENT && isBehindDots(arena.bytes, names.at[node], names.lengths[node], -dots)) {
        dirents[to++] = dots--;
      }
      dirents[to++] = node;
    }
    while (dots >= PARENT) dirents[to++] = dots--;
  }
  direntStart[order.length] = to;
  return { dirents, direntStart };
}

/** Whether a name comes after one or two dots. `!`, `+` and `-` come before. */
function isBehindDots(bytes: Uint8Array, at: number, length: number, dots: number): boolean {
  for (let index = 0; index < Math.min(length, dots); index++) {
    if (bytes[at + index] !== 0x2e) return bytes[at + index] > 0x2e;
  }
  return length > dots;
}
