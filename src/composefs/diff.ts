/** What differs between two trees, path by path: to say why a digest is not the one that was promised. */
import { equalBytes, encodeLatin1 } from '../bytes/bytes.ts';
import { contentSize, lookup, walkTree, type Stat, type Time, type Tree, type TreeNode } from './tree.ts';

export interface TreeDifference {
  /** With a leading slash; one character a byte. */
  readonly path: string;
  /** What differs, for people: `size 12 → 13`, `mode 755 → 4755`, `added`, … */
  readonly changes: readonly string[];
}

/** In the order of paths, at most `limit` of them; `total` counts all. */
export function diffTrees(
  from: Tree,
  to: Tree,
  limit: number,
): { readonly differences: readonly TreeDifference[]; readonly total: number } {
  const found: TreeDifference[] = [];
  let total = 0;
  const report = (path: string, changes: readonly string[]): void => {
    if (changes.length === 0) return;
    total += 1;
    if (found.length < limit) found.push({ path: `/${path}`, changes });
  };
  walkTree(from, (path, node) => {
    const other = lookup(to, path);
    report(path, other === undefined ? ['removed'] : nodeChanges(node, other));
  });
  walkTree(to, (path) => {
    if (lookup(from, path) === undefined) report(path, ['added']);
  });
  return { differences: found, total };
}

function nodeChanges(from: TreeNode, to: TreeNode): string[] {
  if (from.kind !== to.kind) return [`${from.kind} → ${to.kind}`];
  return [...contentChanges(from, to), ...statChanges(from.stat, to.stat)];
}

function contentChanges(from: TreeNode, to: TreeNode): string[] {
  if (from.kind === 'regular' && to.kind === 'regular') {
    if (contentSize(from) !== contentSize(to)) return [`size ${contentSize(from)} → ${contentSize(to)}`];
    return sameContent(from, to) ? [] : ['content'];
  }
  if (from.kind === 'symlink' && to.kind === 'symlink') {
    return from.target === to.target ? [] : [`target ${from.target} → ${to.target}`];
  }
  if ('rdev' in from && 'rdev' in to && from.rdev !== to.rdev) return [`device ${from.rdev} → ${to.rdev}`];
  return [];
}

type Regular = Extract<TreeNode, { kind: 'regular' }>;

function sameContent(from: Regular, to: Regular): boolean {
  if (from.content.kind === 'inline' && to.content.kind === 'inline') {
    return equalBytes(from.content.bytes, to.content.bytes);
  }
  if (from.content.kind !== 'external' || to.content.kind !== 'external') return false;
  const { digests: a } = from.content;
  const { digests: b } = to.content;
  if (a.sha512 !== undefined && b.sha512 !== undefined) return equalBytes(a.sha512, b.sha512);
  return a.sha256 !== undefined && b.sha256 !== undefined && equalBytes(a.sha256, b.sha256);
}

function statChanges(from: Stat, to: Stat): string[] {
  const changes: string[] = [];
  if (from.mode !== to.mode) changes.push(`mode ${from.mode.toString(8)} → ${to.mode.toString(8)}`);
  if (from.uid !== to.uid || from.gid !== to.gid) {
    changes.push(`owner ${from.uid}:${from.gid} → ${to.uid}:${to.gid}`);
  }
  if (from.mtime.seconds !== to.mtime.seconds || from.mtime.nanos !== to.mtime.nanos) {
    changes.push(`mtime ${formatTime(from.mtime)} → ${formatTime(to.mtime)}`);
  }
  for (const name of new Set([...from.xattrs.keys(), ...to.xattrs.keys()])) {
    const a = from.xattrs.get(name);
    const b = to.xattrs.get(name);
    if (a === undefined || b === undefined || !equalBytes(a, b)) changes.push(`attribute ${name}`);
  }
  return changes;
}

function formatTime({ seconds, nanos }: Time): string {
  return `${seconds}.${String(nanos).padStart(9, '0')}`;
}

/** A path for people: its bytes as UTF-8, with what is not UTF-8 replaced. */
export function pathText(path: string): string {
  return Buffer.from(encodeLatin1(path)).toString('utf8');
}
