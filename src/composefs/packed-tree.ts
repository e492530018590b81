/**
 * A file tree as columns of numbers: what an image is written from. Made of a {@link Tree} or straight from a dump text;
 * it takes a tenth of the memory that objects would. Writing an image adds to it what the version of the format wants,
 * so it serves once.
 */
import { addEntry, grown } from '../bytes/byte-table.ts';
import { decodeLatin1 } from '../bytes/bytes.ts';
import { decodeHex } from '../bytes/hex.ts';
import { comparePairs } from '../formats/erofs/xattrs.ts';
import {
  createNodeTable,
  OBJECT_PATH,
  reserveNode,
  xattrName,
  type NodeTable,
  type NodeTableSizes,
} from '../formats/erofs/node-table.ts';
import { VERITY_DIGEST_SIZE, VERITY_HASH_ID, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import { escapeName } from './overlay-xattrs.ts';

/** What a node has no pair of, and what is no other name of anything. */
export const NONE = -1;

export interface PackedTree {
  readonly nodes: NodeTable;
  /** By node: the node that it is another name of, or NONE. */
  link: Int32Array;
  /** By node: its own attributes, as an index into `sets`. */
  xattrSet: Int32Array;
  /** By node: the pairs that say where its content is, or NONE. */
  metacopy: Int32Array;
  redirect: Int32Array;
  /** Each combination of attributes once: pairs in order of their names, escaped. */
  readonly sets: (readonly number[])[];
  readonly setNumbers: Map<string, number>;
  readonly algorithm: VerityAlgorithm;
  hardlinks: number;
}

export function createPackedTree(algorithm: VerityAlgorithm, sizes?: NodeTableSizes): PackedTree {
  const nodes = createNodeTable(sizes);
  const capacity = nodes.mode.length;
  return {
    nodes,
    link: new Int32Array(capacity),
    xattrSet: new Int32Array(capacity),
    metacopy: new Int32Array(capacity),
    redirect: new Int32Array(capacity),
    sets: [[]],
    setNumbers: new Map([['', 0]]),
    algorithm,
    hardlinks: 0,
  };
}

/** The node of this name, which is new when its number is the count of nodes from before. */
export function addNode(
  tree: PackedTree,
  directory: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const before = tree.nodes.names.count;
  const node = addEntry(tree.nodes.names, directory, bytes, start, end);
  if (node < before) return node;
  reserveNode(tree.nodes, node);
  if (node >= tree.link.length) {
    const capacity = 2 * tree.link.length;
    tree.link = grown(tree.link, new Int32Array(capacity));
    tree.xattrSet = grown(tree.xattrSet, new Int32Array(capacity));
    tree.metacopy = grown(tree.metacopy, new Int32Array(capacity));
    tree.redirect = grown(tree.redirect, new Int32Array(capacity));
  }
  tree.link[node] = NONE;
  tree.xattrSet[node] = 0;
  tree.metacopy[node] = NONE;
  tree.redirect[node] = NONE;
  return node;
}

/** The pair of a name, as it will be in the image, and a value. */
export function addPair(
  { nodes: { xattrs } }: PackedTree,
  name: string,
  value: Uint8Array,
  start = 0,
  end: number = value.length,
): number {
  return addEntry(xattrs.pairs, xattrName(xattrs, name), value, start, end);
}

/** The number of a combination of a node's own attributes. */
export function addXattrSet(tree: PackedTree, xattrs: ReadonlyMap<string, Uint8Array>): number {
  if (xattrs.size === 0) return 0;
  const pairs = Array.from(xattrs, ([name, value]) => addPair(tree, escapeName(name), value));
  pairs.sort((a, b) => comparePairs(tree.nodes, a, b));
  const key = pairs.join();
  let set = tree.setNumbers.get(key);
  if (set === undefined) {
    set = tree.sets.length;
    tree.sets.push(pairs);
    tree.setNumbers.set(key, set);
  }
  return set;
}

export const METACOPY = 'trusted.overlay.metacopy';
export const REDIRECT = 'trusted.overlay.redirect';
const NO_BYTES = new Uint8Array(0);
const SLASH = 0x2f;
/** struct ovl_metacopy: version, length, flags, hash id; then the digest. */
export const METACOPY_HEADER = 4;
const metacopyValue = new Uint8Array(METACOPY_HEADER + 64);

/** A file whose digest is known: overlayfs demands it of the content. */
export function setMetacopy(tree: PackedTree, node: number, digest: Uint8Array): void {
  const size = VERITY_DIGEST_SIZE[tree.algorithm];
  metacopyValue[1] = METACOPY_HEADER + size;
  metacopyValue[3] = VERITY_HASH_ID[tree.algorithm];
  for (let at = 0; at < size; at++) metacopyValue[METACOPY_HEADER + at] = digest[at];
  tree.metacopy[node] = addPair(tree, METACOPY, metacopyValue, 0, METACOPY_HEADER + size);
}

/** A file whose digest is not known. */
export function setEmptyMetacopy(tree: PackedTree, node: number): void {
  tree.metacopy[node] = addPair(tree, METACOPY, NO_BYTES);
}

/** The content is where its digest says: `/xx/rest`. Its metacopy is set. */
export function setRedirectToDigest(tree: PackedTree, node: number): void {
  const { pairs } = tree.nodes.xattrs;
  const metacopy = tree.metacopy[node];
  const start = pairs.at[metacopy] + METACOPY_HEADER;
  const end = pairs.at[metacopy] + pairs.lengths[metacopy];
  tree.redirect[node] = addEntry(pairs, OBJECT_PATH, pairs.arena.bytes, start, end, start);
}

/** The content is at this path among the objects. */
export function setRedirect(
  tree: PackedTree,
  node: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const digest = digestOfPath(decodeLatin1(bytes.subarray(start, end)));
  if (digest !== undefined) {
    tree.redirect[node] = addEntry(tree.nodes.xattrs.pairs, OBJECT_PATH, digest, 0, digest.length);
    return;
  }
  const value = new Uint8Array(1 + end - start);
  value[0] = SLASH;
  value.set(bytes.subarray(start, end), 1);
  tree.redirect[node] = addPair(tree, REDIRECT, value);
}

/** Of `xx/rest`, if it is that of a digest. */
function digestOfPath(path: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}\/(?:[0-9a-f]{62}|[0-9a-f]{126})$/.test(path)) return undefined;
  return decodeHex(path.replace('/', ''));
}
