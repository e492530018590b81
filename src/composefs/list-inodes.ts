/** The inodes of an image of a tree, in the order and with the attributes that its version wants. */
import { encodeLatin1 } from '../bytes/bytes.ts';
import type { ErofsVersion } from '../formats/erofs/format.ts';
import type { InodeList } from '../formats/erofs/node-table.ts';
import { comparePairs } from '../formats/erofs/xattrs.ts';
import { rulesDiffer, type ImageRules } from './image-rules.ts';
import { nodePath } from './node-path.ts';
import {
  isDirectory,
  listDirents,
  numberBreadthFirst,
  numberDepthFirst,
  sortChildren,
  type Numbering,
} from './number-nodes.ts';
import { addPair, METACOPY, NONE, REDIRECT, type PackedTree } from './packed-tree.ts';
import { addStubs, escapeWhiteouts, refuseLinkedWhiteouts, type Marks } from './whiteouts.ts';

/** Uses the tree up. Throws `composefs/hardlinked-whiteout`, `composefs/rules-differ`. */
export function listInodes(tree: PackedTree, version: ErofsVersion, rules: ImageRules): InodeList {
  if (rules !== 'c') refuseLinkedWhiteouts(tree);
  const stubs = version === 2 ? new Set<number>() : addStubs(tree, rules);
  const marks: Map<number, readonly number[]> = new Map(
    version === 2 ? [] : escapeWhiteouts(tree, stubs, version),
  );
  countLinks(tree, rules);
  if (version !== 2) {
    // Of the root: nothing of what lies below shows through.
    const opaque = addPair(tree, 'trusted.overlay.opaque', encodeLatin1('y'));
    marks.set(0, [...(marks.get(0) ?? []), opaque]);
  }
  const children = sortChildren(tree);
  const numbering =
    version === 2 ? numberDepthFirst(tree, children) : numberBreadthFirst(tree, children, rules);
  const { order, inodeOf } = numbering;
  const parent = new Int32Array(order.length);
  for (let inode = 1; inode < order.length; inode++) {
    parent[inode] = inodeOf[tree.nodes.names.tags[order[inode]]];
  }
  return {
    nodes: tree.nodes,
    count: order.length,
    order,
    inodeOf,
    parent,
    ...listDirents(tree, children, numbering),
    ...listPairs(tree, numbering, version, marks, rules),
  };
}

/**
 * Of a file the number of its names; of a directory its own entry, its parent's, and the `..` of each directory in it.
 * C believes the dump where it is about files.
 */
function countLinks(tree: PackedTree, rules: ImageRules): void {
  const { nodes, link } = tree;
  const { count, tags } = nodes.names;
  const links = new Uint32Array(count);
  for (let node = 0; node < count; node++) {
    if (link[node] !== NONE) {
      // C can be made to give a directory another name, and does not count it.
      if (!isDirectory(tree, link[node])) links[link[node]] += 1;
    } else {
      links[node] += 1;
      if (!isDirectory(tree, node)) continue;
      links[node] += 1;
      if (node > 0) links[tags[node]] += 1;
    }
  }
  for (let node = 0; node < count; node++) {
    if (link[node] !== NONE || links[node] === nodes.nlink[node]) continue;
    const isFile = !isDirectory(tree, node);
    if (isFile && rules === 'c') continue;
    if (isFile && rules === 'strict') {
      throw rulesDiffer(`${nodes.nlink[node]} links where there are ${links[node]}`, nodePath(nodes, node));
    }
    nodes.nlink[node] = links[node];
  }
}

/** Attributes of each inode in their order: by name, but for version 2, which starts with those of the content. */
function listPairs(
  tree: PackedTree,
  { order }: Numbering,
  version: ErofsVersion,
  marks: Marks,
  rules: ImageRules,
): Pick<InodeList, 'pairs' | 'pairStart'> {
  const { sets, xattrSet, metacopy, redirect } = tree;
  const places = version === 2 ? [] : sets.map((set) => placesIn(tree, set));
  const pairStart = new Int32Array(order.length + 1);
  let total = 0;
  for (const node of order) total += sets[xattrSet[node]].length + 2 + (marks.get(node)?.length ?? 0);
  const pairs = new Int32Array(total);
  let to = 0;
  const put = (pair: number): void => {
    if (pair !== NONE) pairs[to++] = pair;
  };
  for (let inode = 0; inode < order.length; inode++) {
    const node = order[inode];
    const set = sets[xattrSet[node]];
    const marked = marks.get(node);
    pairStart[inode] = to;
    if (marked !== undefined) {
      for (const pair of withMarks(tree, node, set, marked, rules)) put(pair);
      continue;
    }
    const [before, between] = places[xattrSet[node]] ?? [0, 0];
    for (let at = 0; at < before; at++) pairs[to++] = set[at];
    put(metacopy[node]);
    for (let at = before; at < between; at++) pairs[to++] = set[at];
    put(redirect[node]);
    for (let at = between; at < set.length; at++) pairs[to++] = set[at];
  }
  pairStart[order.length] = to;
  return { pairs, pairStart };
}

/** How many pairs of a set come before the two that are not in it. */
function placesIn({ nodes: { xattrs } }: PackedTree, set: readonly number[]): [number, number] {
  const names = set.map((pair) => xattrs.names[xattrs.pairs.tags[pair]]);
  return [names.filter((name) => name < METACOPY).length, names.filter((name) => name < REDIRECT).length];
}

/** A mark takes the place of an attribute of its name in C, and stands beside it in composefs-rs. */
function withMarks(
  tree: PackedTree,
  node: number,
  set: readonly number[],
  marks: readonly number[],
  rules: ImageRules,
): number[] {
  const { names, pairs } = tree.nodes.xattrs;
  const taken = new Set(marks.map((pair) => pairs.tags[pair]));
  const own = set.filter((pair) => !taken.has(pairs.tags[pair]));
  if (own.length < set.length && rules === 'strict') {
    const clash = set.find((pair) => taken.has(pairs.tags[pair]))!;
    throw rulesDiffer(
      `an attribute ${names[pairs.tags[clash]]} where an escaped whiteout wants its own`,
      nodePath(tree.nodes, node),
    );
  }
  return [...(rules === 'c' ? own : set), ...marks].sort((a, b) => comparePairs(tree.nodes, a, b));
}
