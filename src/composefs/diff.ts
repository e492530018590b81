/** What differs between two trees, in words: to say why a digest is not the one that was promised. */
import { encodeLatin1 } from '../bytes/bytes.ts';
import { encodeHex } from '../bytes/hex.ts';
import { compareTrees, type Difference } from './compare.ts';
import { contentSize, type RegularFile, type Time, type Tree, type TreeNode } from './tree.ts';

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
  const found: { path: string; changes: string[] }[] = [];
  let total = 0;
  let last: string | undefined;
  compareTrees(from, to, (difference) => {
    const { path } = difference;
    if (path !== last) {
      total += 1;
      last = path;
      if (total <= limit) found.push({ path: `/${path}`, changes: [] });
    }
    if (total <= limit) found.at(-1)!.changes.push(changeText(difference));
  });
  return { differences: found, total };
}

function changeText(difference: Difference): string {
  const { attribute, left } = difference;
  if (attribute === 'presence') return left === undefined ? 'added' : 'removed';
  if (attribute === 'content') return 'content';
  if (attribute.startsWith('xattr ')) return attribute.replace('xattr', 'attribute');
  const [from, to] = sidesText(difference);
  return attribute === 'type' ? `${from} → ${to}` : `${attribute} ${from} → ${to}`;
}

/** Either side of a difference for people: short, one character a byte, control characters as they are. */
export function sidesText(difference: Difference): readonly [left: string, right: string] {
  const { left, right, names, attribute } = difference;
  if (attribute === 'hardlink' && names !== undefined) {
    const [a, b] = names;
    const text = (name: string): string => (name === difference.path ? 'its own file' : `link to /${name}`);
    return [text(a), text(b)];
  }
  return [sideText(left, attribute), sideText(right, attribute)];
}

/** Longer values are cut. */
const MAX_VALUE = 48;

function sideText(node: TreeNode | undefined, attribute: Difference['attribute']): string {
  if (node === undefined) return 'missing';
  switch (attribute) {
    case 'presence':
    case 'type':
      return node.kind;
    case 'size':
      return node.kind === 'regular' ? String(contentSize(node)) : node.kind;
    case 'content':
      return node.kind === 'regular' ? contentText(node) : node.kind;
    case 'target':
      return node.kind === 'symlink' ? node.target : node.kind;
    case 'device':
      return 'rdev' in node ? String(node.rdev) : node.kind;
    case 'mode':
      return node.stat.mode.toString(8);
    case 'owner':
      return `${node.stat.uid}:${node.stat.gid}`;
    case 'mtime':
      return formatTime(node.stat.mtime);
    case 'hardlink':
      return 'its own file';
    default: {
      const value = node.stat.xattrs.get(attribute.slice('xattr '.length));
      return value === undefined ? 'missing' : bytesValue(value);
    }
  }
}

function contentText({ content }: RegularFile): string {
  if (content.kind === 'inline') return bytesValue(content.bytes);
  const { sha512, sha256 } = content.digests;
  if (sha512 !== undefined) return `sha512 ${encodeHex(sha512).slice(0, 12)}…`;
  if (sha256 !== undefined) return `sha256 ${encodeHex(sha256).slice(0, 12)}…`;
  return content.payload ?? 'unknown';
}

function bytesValue(bytes: Uint8Array): string {
  // Quotes and escapes, so that a space or an end of line shows.
  const printable = bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d);
  const text = printable ? JSON.stringify(Buffer.from(bytes).toString('latin1')) : `0x${encodeHex(bytes)}`;
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

export function formatTime({ seconds, nanos }: Time): string {
  return `${seconds}.${String(nanos).padStart(9, '0')}`;
}

/** A path for people: its bytes as UTF-8, with what is not UTF-8 replaced. Our own words around it stay. */
export function pathText(path: string): string {
  return path.replace(/[\x80-\xff]+/g, (bytes) => Buffer.from(encodeLatin1(bytes)).toString('utf8'));
}
