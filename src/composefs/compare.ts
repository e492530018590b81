/** What differs between two trees, path by path and attribute by attribute. */
import { equalBytes } from '../bytes/bytes.ts';
import {
  contentSize,
  sortedChildren,
  type Leaf,
  type RegularFile,
  type Tree,
  type TreeNode,
} from './tree.ts';

export type Attribute =
  | 'presence'
  | 'type'
  | 'size'
  | 'content'
  | 'target'
  | 'device'
  | 'mode'
  | 'owner'
  | 'mtime'
  | 'hardlink'
  | `xattr ${string}`;

export interface Difference {
  /** Without leading slash, one character a byte. `''` is the root. */
  readonly path: string;
  readonly attribute: Attribute;
  /** Undefined where that side has no such path. */
  readonly left: TreeNode | undefined;
  readonly right: TreeNode | undefined;
  /** Of `hardlink`: the first name of the file on either side. */
  readonly names?: readonly [left: string, right: string];
}

export interface CompareOptions {
  /** False leaves nanoseconds out, as version 2 of the format does. Default true. */
  readonly nanos?: boolean;
}

type Pair = [path: string, left: TreeNode | undefined, right: TreeNode | undefined];

/**
 * Calls `report` for each difference, depth first with names in byte order. A directory on one side only is reported
 * with everything in it. Returns the number of paths, those on one side only included.
 */
export function compareTrees(
  left: Tree,
  right: Tree,
  report: (difference: Difference) => void,
  options: CompareOptions = {},
): number {
  const firstLeft = new Map<Leaf, string>();
  const firstRight = new Map<Leaf, string>();
  const stack: Pair[] = [['', left.root, right.root]];
  let paths = 0;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [path, a, b] = next;
    paths += 1;
    const nameLeft = firstName(firstLeft, a, path);
    const nameRight = firstName(firstRight, b, path);
    for (const attribute of differingAttributes(a, b, options))
      report({ path, attribute, left: a, right: b });
    if (isLeaf(a) && isLeaf(b) && nameLeft !== nameRight) {
      report({ path, attribute: 'hardlink', left: a, right: b, names: [nameLeft, nameRight] });
    }
    pushChildren(stack, path, a, b);
  }
  return paths;
}

function isLeaf(node: TreeNode | undefined): node is Leaf {
  return node !== undefined && node.kind !== 'directory';
}

function firstName(first: Map<Leaf, string>, node: TreeNode | undefined, path: string): string {
  if (!isLeaf(node)) return path;
  const known = first.get(node);
  if (known === undefined) first.set(node, path);
  return known ?? path;
}

/** Last name first, since a stack gives them back in reverse. */
function pushChildren(stack: Pair[], path: string, a: TreeNode | undefined, b: TreeNode | undefined): void {
  const left = a?.kind === 'directory' ? sortedChildren(a) : [];
  const right = b?.kind === 'directory' ? sortedChildren(b) : [];
  const prefix = path === '' ? '' : `${path}/`;
  let i = left.length - 1;
  let j = right.length - 1;
  while (i >= 0 || j >= 0) {
    if (j < 0 || (i >= 0 && left[i][0] > right[j][0])) {
      stack.push([prefix + left[i][0], left[i][1], undefined]);
      i -= 1;
    } else if (i < 0 || left[i][0] < right[j][0]) {
      stack.push([prefix + right[j][0], undefined, right[j][1]]);
      j -= 1;
    } else {
      stack.push([prefix + left[i][0], left[i][1], right[j][1]]);
      i -= 1;
      j -= 1;
    }
  }
}

/** Types first, then contents, then metadata, extended attributes in byte order. */
function* differingAttributes(
  a: TreeNode | undefined,
  b: TreeNode | undefined,
  { nanos = true }: CompareOptions,
): Generator<Attribute, void, undefined> {
  if (a === undefined || b === undefined) {
    yield 'presence';
    return;
  }
  if (a.kind !== b.kind) {
    yield 'type';
    return;
  }
  const content = contentDifference(a, b);
  if (content !== undefined) yield content;
  const [from, to] = [a.stat, b.stat];
  if (from.mode !== to.mode) yield 'mode';
  if (from.uid !== to.uid || from.gid !== to.gid) yield 'owner';
  if (from.mtime.seconds !== to.mtime.seconds || (nanos && from.mtime.nanos !== to.mtime.nanos))
    yield 'mtime';
  if (from.xattrs.size === 0 && to.xattrs.size === 0) return;
  for (const name of [...new Set([...from.xattrs.keys(), ...to.xattrs.keys()])].sort()) {
    const [one, other] = [from.xattrs.get(name), to.xattrs.get(name)];
    if (one === undefined || other === undefined || !equalBytes(one, other)) yield `xattr ${name}`;
  }
}

function contentDifference(a: TreeNode, b: TreeNode): Attribute | undefined {
  if (a.kind === 'regular' && b.kind === 'regular') {
    if (contentSize(a) !== contentSize(b)) return 'size';
    return sameContent(a, b) ? undefined : 'content';
  }
  if (a.kind === 'symlink' && b.kind === 'symlink') return a.target === b.target ? undefined : 'target';
  return 'rdev' in a && 'rdev' in b && a.rdev !== b.rdev ? 'device' : undefined;
}

/** By whatever both sides know. Contents that cannot be compared are taken for different. */
export function sameContent(a: RegularFile, b: RegularFile): boolean {
  if (a.content.kind === 'inline' && b.content.kind === 'inline') {
    return equalBytes(a.content.bytes, b.content.bytes);
  }
  if (a.content.kind !== 'external' || b.content.kind !== 'external') return false;
  for (const algorithm of ['sha512', 'sha256'] as const) {
    const [one, other] = [a.content.digests[algorithm], b.content.digests[algorithm]];
    if (one !== undefined && other !== undefined) return equalBytes(one, other);
  }
  const [one, other] = [a.content.payload, b.content.payload];
  return one !== undefined && one === other;
}
