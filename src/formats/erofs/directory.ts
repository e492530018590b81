/**
 * Directories in EROFS: blocks of entries, each block sorted and searchable on its own. The last entries stand
 * behind the inode when they take half a block or less.
 */
import { DIRENT_SIZE, EROFS_BLOCK } from './format.ts';
import { DOT, direntType, PARENT, SELF, type InodeList } from './node-table.ts';

/** Bytes of the name of an entry. */
function nameLength(list: InodeList, dirent: number): number {
  return dirent >= 0 ? list.nodes.names.lengths[dirent] : -dirent;
}

/** Where the block that starts with entry `from` ends: the first entry that has no room in it. */
export function endOfBlock(list: InodeList, from: number, end: number): number {
  let used = 0;
  let at = from;
  for (; at < end; at++) {
    used += DIRENT_SIZE + nameLength(list, list.dirents[at]);
    if (used > EROFS_BLOCK) break;
  }
  return at;
}

/** Bytes that entries and their names take. */
export function sizeOfDirents(list: InodeList, from: number, end: number): number {
  let used = 0;
  for (let at = from; at < end; at++) used += DIRENT_SIZE + nameLength(list, list.dirents[at]);
  return used;
}

/** Entries `[from, end)` of a directory: all entries, then their names back to back, without NUL. */
export function writeDirents(
  target: Uint8Array,
  view: DataView,
  offset: number,
  list: InodeList,
  inode: number,
  range: { readonly from: number; readonly end: number },
  nids: Uint32Array,
): void {
  const { nodes, order, inodeOf, parent, dirents } = list;
  const { at: nameAt, lengths } = nodes.names;
  const names = nodes.arena.bytes;
  let name = (range.end - range.from) * DIRENT_SIZE;
  let entry = offset;
  for (let at = range.from; at < range.end; at++) {
    const dirent = dirents[at];
    const child = dirent >= 0 ? inodeOf[dirent] : dirent === SELF ? inode : parent[inode];
    view.setUint32(entry, nids[child], true); // an offset of 128 GiB before it needs the upper half
    view.setUint16(entry + 8, name, true);
    target[entry + 10] = direntType(nodes.mode[order[child]]);
    entry += DIRENT_SIZE;
    const to = offset + name;
    if (dirent >= 0) {
      const from = nameAt[dirent];
      const length = lengths[dirent];
      for (let byte = 0; byte < length; byte++) target[to + byte] = names[from + byte];
      name += length;
    } else {
      target.set(dirent === PARENT ? DOT : DOT.subarray(1), to);
      name += -dirent;
    }
  }
}
