/** Columns from a list of inode objects, for those who make an image of a few files. */
import { addEntry, type ByteTable } from '../../bytes/byte-table.ts';
import { encodeLatin1 } from '../../bytes/bytes.ts';
import { FILE_TYPES, type ErofsInode } from './format.ts';
import {
  createNodeTable,
  PARENT,
  reserveNode,
  SELF,
  setContent,
  setExternal,
  setStat,
  xattrName,
  type InodeList,
  type NodeTable,
} from './node-table.ts';

const NOTHING = new Uint8Array(0);

export function listInodes(inodes: readonly ErofsInode[]): InodeList {
  const nodes = createNodeTable();
  // 1. A node without a name for each inode, and one for each name.
  for (const [number, inode] of inodes.entries()) {
    addEntry(nodes.names, number, NOTHING, 0, 0);
    reserveNode(nodes, number);
    fillNode(nodes, number, inode);
  }
  const inodeOf: number[] = inodes.map((_, number) => number);
  const dirents: number[] = [];
  const direntStart = new Int32Array(inodes.length + 1);
  const parent = new Int32Array(inodes.length);
  for (const [number, { body }] of inodes.entries()) {
    if (body.kind === 'directory') {
      parent[number] = body.parent;
      const all = [...body.entries, { name: '.', inode: SELF }, { name: '..', inode: PARENT }];
      all.sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const { name, inode } of all) {
        if (inode < 0) {
          dirents.push(inode);
          continue;
        }
        const node = addName(nodes.names, number, name);
        reserveNode(nodes, node);
        inodeOf[node] = inode;
        dirents.push(node);
      }
    }
    direntStart[number + 1] = dirents.length;
  }

  // 2. Attributes.
  const pairs: number[] = [];
  const pairStart = new Int32Array(inodes.length + 1);
  for (const [number, { xattrs }] of inodes.entries()) {
    for (const { name, value } of xattrs) {
      pairs.push(addEntry(nodes.xattrs.pairs, xattrName(nodes.xattrs, name), value, 0, value.length));
    }
    pairStart[number + 1] = pairs.length;
  }
  return {
    nodes,
    count: inodes.length,
    order: Int32Array.from(inodes.keys()),
    inodeOf: Int32Array.from(inodeOf),
    parent,
    dirents: Int32Array.from(dirents),
    direntStart,
    pairs: Int32Array.from(pairs),
    pairStart,
  };
}

function addName(names: ByteTable, directory: number, name: string): number {
  const bytes = encodeLatin1(name);
  return addEntry(names, directory, bytes, 0, bytes.length);
}

function fillNode(nodes: NodeTable, node: number, inode: ErofsInode): void {
  const { type, mode, uid, gid, seconds, nanos, nlink, body } = inode;
  const secondsLow = Number(BigInt.asUintN(32, seconds));
  const secondsHigh = Number(BigInt.asUintN(32, seconds >> 32n));
  setStat(nodes, node, {
    mode: FILE_TYPES[type].mode | mode,
    uid,
    gid,
    nlink,
    secondsLow,
    secondsHigh,
    nanos,
  });
  if (body.kind === 'data') setContent(nodes, node, body.bytes);
  else if (body.kind === 'symlink') setContent(nodes, node, body.target);
  else if (body.kind === 'external') setExternal(nodes, node, body.size);
  else if (body.kind === 'device') nodes.size[node] = body.rdev;
}
