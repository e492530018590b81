/** Dump text of a tree, for `mkcomposefs --from-file` and for finding where two trees differ. */
import { encodeLatin1 } from '../bytes/bytes.ts';
import type { DumpNode } from '../formats/composefs-dump/format.ts';
import { dumpLine } from '../formats/composefs-dump/writer.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { directoryLinks } from './directory-links.ts';
import { countLinks } from './links.ts';
import { objectPath } from './overlay-xattrs.ts';
import { walkTree, type Leaf, type Tree } from './tree.ts';

/**
 * The lines of the dump, depth first, names in byte order, each with its newline. The tree is taken as it is, without
 * any transform. Throws `composefs/hardlinked-whiteout`.
 */
export function dumpTree(tree: Tree, algorithm: VerityAlgorithm): string[] {
  const links = countLinks(tree);
  const written = new Map<Leaf, string>();
  const lines: string[] = [];
  walkTree(tree, (relative, node) => {
    const path = `/${relative}`;
    const { mode, uid, gid, mtime, xattrs } = node.stat;
    const common = { type: 'node', path, kind: node.kind, mode, uid, gid, mtime, xattrs, rdev: 0 } as const;
    if (node.kind === 'directory') {
      lines.push(dumpLine({ ...common, size: 0n }, directoryLinks(node)));
      return;
    }
    const first = written.get(node);
    if (first !== undefined) {
      lines.push(dumpLine({ type: 'hardlink', path, target: first }));
      return;
    }
    written.set(node, path);
    lines.push(dumpLine({ ...common, ...contentFields(node, algorithm) }, links.get(node)?.count));
  });
  return lines;
}

/** The same as bytes, in pieces of about 64 KiB. */
export function dumpBytes(tree: Tree, algorithm: VerityAlgorithm): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let pending = '';
  for (const line of dumpTree(tree, algorithm)) {
    pending += line;
    if (pending.length < 65536) continue;
    pieces.push(encodeLatin1(pending));
    pending = '';
  }
  pieces.push(encodeLatin1(pending));
  return pieces;
}

type ContentFields = Pick<DumpNode, 'size'> &
  Partial<Pick<DumpNode, 'payload' | 'content' | 'digest' | 'rdev'>>;

function contentFields(leaf: Leaf, algorithm: VerityAlgorithm): ContentFields {
  switch (leaf.kind) {
    case 'symlink':
      return { size: BigInt(leaf.target.length), payload: leaf.target };
    case 'character':
    case 'block':
      return { size: 0n, rdev: leaf.rdev };
    case 'fifo':
    case 'socket':
      return { size: 0n };
    case 'regular':
    default: {
      if (leaf.content.kind === 'inline') {
        return { size: BigInt(leaf.content.bytes.length), content: leaf.content.bytes };
      }
      const size = BigInt(leaf.content.size);
      const digest = leaf.content.digests[algorithm];
      if (digest !== undefined) return { size, payload: leaf.content.payload ?? objectPath(digest), digest };
      return { size, ...(leaf.content.payload !== undefined && { payload: leaf.content.payload }) };
    }
  }
}
