/**
 * Whiteout devices in an image of version 0 or 1: those of the tree are escaped, so that overlayfs shows them and does
 * not obey them, and 256 of our own are added to the root.
 */
import { encodeLatin1 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { FILE_TYPES } from '../formats/erofs/format.ts';
import { PERMISSION_BITS, TYPE_BITS } from '../formats/erofs/node-table.ts';
import { rulesDiffer, type ImageRules } from './image-rules.ts';
import { nodePath } from './node-path.ts';
import { bodyOf } from './number-nodes.ts';
import { addNode, addPair, NONE, type PackedTree } from './packed-tree.ts';

const CHARACTER = FILE_TYPES.character.mode;
const STUB_PERMISSIONS = 0o644;

export function isWhiteout({ nodes }: PackedTree, node: number): boolean {
  return (nodes.mode[node] & TYPE_BITS) === CHARACTER && nodes.size[node] === 0;
}

/** C takes version 1 for a tree that has one, where it may. */
export function hasWhiteout(tree: PackedTree): boolean {
  for (let node = 1; node < tree.nodes.names.count; node++) {
    if (tree.link[node] === NONE && isWhiteout(tree, node)) return true;
  }
  return false;
}

/**
 * Throws `composefs/hardlinked-whiteout`: a whiteout cannot be escaped at one name and not at another. C escapes it
 * at all of them.
 */
export function refuseLinkedWhiteouts(tree: PackedTree): void {
  if (tree.hardlinks === 0) return;
  for (let node = 1; node < tree.nodes.names.count; node++) {
    if (tree.link[node] === NONE || !isWhiteout(tree, tree.link[node])) continue;
    throw new BootsealError(
      'composefs/hardlinked-whiteout',
      'a whiteout device (0:0) has more than one name',
      { where: nodePath(tree.nodes, node) },
    );
  }
}

/**
 * Adds to the root a whiteout for each of the 256 folders of objects, so that a lower file system holding those does
 * not show. A root entry of that name stays; to composefs-rs one that is exactly such a whiteout counts as the stub.
 */
export function addStubs(tree: PackedTree, rules: ImageRules): ReadonlySet<number> {
  const { nodes } = tree;
  const stubs = new Set<number>();
  const set = labelOnly(tree);
  for (let byte = 0; byte < 256; byte++) {
    const name = encodeLatin1(byte.toString(16).padStart(2, '0'));
    const before = nodes.names.count;
    const node = addNode(tree, 0, name, 0, name.length);
    if (node < before) {
      if (!isLikeStub(tree, node, set)) continue;
      if (rules === 'strict') {
        throw rulesDiffer('a whiteout named as a folder of objects', nodePath(nodes, node));
      }
      if (rules === 'rust') stubs.add(node);
      continue;
    }
    nodes.mode[node] = CHARACTER | STUB_PERMISSIONS;
    nodes.uid[node] = nodes.uid[0];
    nodes.gid[node] = nodes.gid[0];
    nodes.nlink[node] = 1;
    nodes.secondsLow[node] = nodes.secondsLow[0];
    nodes.secondsHigh[node] = nodes.secondsHigh[0];
    nodes.nanos[node] = nodes.nanos[0];
    nodes.size[node] = 0;
    tree.xattrSet[node] = set;
    stubs.add(node);
  }
  return stubs;
}

/** The root's SELinux label as a set of attributes. */
function labelOnly(tree: PackedTree): number {
  const { pairs, names } = tree.nodes.xattrs;
  const label = tree.sets[tree.xattrSet[0]].find((pair) => names[pairs.tags[pair]] === 'security.selinux');
  if (label === undefined) return 0;
  const known = tree.sets.findIndex((set) => set.length === 1 && set[0] === label);
  return known >= 0 ? known : tree.sets.push([label]) - 1;
}

function isLikeStub({ nodes, xattrSet, sets, link }: PackedTree, node: number, set: number): boolean {
  const sameSet = sets[xattrSet[node]].join() === sets[set].join();
  return (
    link[node] === NONE &&
    nodes.mode[node] === (CHARACTER | STUB_PERMISSIONS) &&
    nodes.size[node] === 0 &&
    nodes.uid[node] === nodes.uid[0] &&
    nodes.gid[node] === nodes.gid[0] &&
    nodes.secondsLow[node] === nodes.secondsLow[0] &&
    nodes.secondsHigh[node] === nodes.secondsHigh[0] &&
    nodes.nanos[node] === nodes.nanos[0] &&
    sameSet
  );
}

/** By node: pairs that it gets besides its own. */
export type Marks = ReadonlyMap<number, readonly number[]>;

/** Makes an empty file of each whiteout but the stubs, and marks it and the directories that it is in. */
export function escapeWhiteouts(tree: PackedTree, stubs: ReadonlySet<number>, version: 0 | 1): Marks {
  const { nodes } = tree;
  const marks = new Map<number, readonly number[]>();
  const escaped: number[] = [];
  for (let node = 1; node < nodes.names.count; node++) {
    if (isWhiteout(tree, bodyOf(tree, node)) && !stubs.has(node)) escaped.push(node);
  }
  if (escaped.length === 0) return marks;
  const ofFile = markPairs(tree, ['trusted.overlay.overlay.whiteout', 'user.overlay.whiteout'], '');
  const ofParent = [
    ...markPairs(tree, ['trusted.overlay.overlay.whiteouts', 'user.overlay.whiteouts'], ''),
    ...(version === 0 ? [] : markPairs(tree, ['trusted.overlay.overlay.opaque', 'user.overlay.opaque'], 'x')),
  ];
  for (const node of escaped) {
    const body = bodyOf(tree, node);
    nodes.mode[body] = FILE_TYPES.regular.mode | (nodes.mode[body] & PERMISSION_BITS);
    nodes.contentLength[body] = 0;
    marks.set(body, ofFile);
    marks.set(nodes.names.tags[node], ofParent);
  }
  return marks;
}

function markPairs(tree: PackedTree, names: readonly string[], value: string): number[] {
  return names.map((name) => addPair(tree, name, encodeLatin1(value)));
}
