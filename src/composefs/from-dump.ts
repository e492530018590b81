/** Dump text to tree, by the rules of composefs-rs: parents and the targets of hardlinks come first. */
import { BootsealError } from '../errors.ts';
import type { DumpEntry, DumpNode } from '../formats/composefs-dump/format.ts';
import { VERITY_DIGEST_SIZE, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import { findDirectory, findHardlinkTarget, splitEntryPath } from './entry-path.ts';
import { emptyTree, type RegularContent, type Tree, type TreeNode } from './tree.ts';

/**
 * `algorithm` is that of the digests in the text. Throws `composefs/bad-dump`, and `layer/…` for paths that lead
 * nowhere.
 */
export function treeFromDump(entries: Iterable<DumpEntry>, algorithm: VerityAlgorithm): Tree {
  const tree = emptyTree();
  for (const entry of entries) {
    const names = splitEntryPath(entry.path);
    const name = names.pop();
    if (name === undefined) {
      if (entry.type !== 'node' || entry.kind !== 'directory') throw bad(entry, 'the root is no directory');
      const { mode, uid, gid, mtime, xattrs } = entry;
      tree.root.stat = { mode, uid, gid, mtime, xattrs };
      continue;
    }
    const { children } = findDirectory(tree, names);
    if (children.has(name)) throw bad(entry, 'a path that is there already');
    children.set(
      name,
      entry.type === 'hardlink' ? findHardlinkTarget(tree, entry.target) : makeNode(entry, algorithm),
    );
  }
  return tree;
}

function makeNode(entry: DumpNode, algorithm: VerityAlgorithm): TreeNode {
  const { kind, mode, uid, gid, mtime, xattrs, rdev } = entry;
  const stat = { mode, uid, gid, mtime, xattrs };
  switch (kind) {
    case 'directory':
      return { kind, stat, children: new Map() };
    case 'symlink':
      return { kind, stat, target: entry.payload ?? '' };
    case 'character':
    case 'block':
      return { kind, stat, rdev };
    case 'fifo':
    case 'socket':
      return { kind, stat };
    case 'regular':
    default:
      return { kind: 'regular', stat, content: contentOf(entry, algorithm) };
  }
}

function contentOf(entry: DumpNode, algorithm: VerityAlgorithm): RegularContent {
  const { content, digest, payload, size } = entry;
  if (content !== undefined || (size === 0n && digest === undefined)) {
    return { kind: 'inline', bytes: content ?? new Uint8Array(0) };
  }
  if (size > Number.MAX_SAFE_INTEGER) throw bad(entry, `a file of ${size} bytes`);
  if (digest !== undefined && digest.length !== VERITY_DIGEST_SIZE[algorithm]) {
    throw bad(entry, `a digest of ${digest.length} bytes is no ${algorithm}`);
  }
  if (digest !== undefined) return { kind: 'external', size: Number(size), digests: { [algorithm]: digest } };
  return { kind: 'external', size: Number(size), digests: {}, ...(payload !== undefined && { payload }) };
}

function bad(entry: DumpEntry, message: string): BootsealError {
  return new BootsealError('composefs/bad-dump', message, { where: entry.path });
}
