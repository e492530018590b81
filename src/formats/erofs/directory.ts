/**
 * Directories in EROFS: blocks of entries, each block sorted and searchable on its own. The last entries stand
 * behind the inode when they take half a block or less.
 */
import { DIRENT_SIZE, EROFS_BLOCK, FILE_TYPES, type ErofsDirent, type FileType } from './format.ts';

export interface DirectoryPlan {
  /** Entries of each whole block. */
  readonly blocks: readonly (readonly ErofsDirent[])[];
  readonly tail: readonly ErofsDirent[];
  /** Bytes. */
  readonly tailSize: number;
}

/** Entries with `.` and `..` among them, all in byte order: `!` and `+` come before `.`. */
export function planDirectory(entries: readonly ErofsDirent[], self: number, parent: number): DirectoryPlan {
  const all = [...entries, { name: '.', inode: self }, { name: '..', inode: parent }];
  all.sort((a, b) => (a.name < b.name ? -1 : 1));
  const blocks: ErofsDirent[][] = [];
  let group: ErofsDirent[] = [];
  let used = 0;
  for (const entry of all) {
    const size = DIRENT_SIZE + entry.name.length;
    if (used + size > EROFS_BLOCK) {
      blocks.push(group);
      group = [];
      used = 0;
    }
    group.push(entry);
    used += size;
  }
  if (used > EROFS_BLOCK / 2) return { blocks: [...blocks, group], tail: [], tailSize: 0 };
  return { blocks, tail: group, tailSize: used };
}

/** All entries of the group, then their names back to back, without NUL. */
export function writeDirents(
  target: Buffer,
  at: number,
  entries: readonly ErofsDirent[],
  nid: (inode: number) => number,
  type: (inode: number) => FileType,
): void {
  let nameOffset = entries.length * DIRENT_SIZE;
  for (const [index, { name, inode }] of entries.entries()) {
    const entry = at + index * DIRENT_SIZE;
    target.writeUInt32LE(nid(inode), entry); // an offset of 128 GiB before it needs the upper half
    target.writeUInt16LE(nameOffset, entry + 8);
    target.writeUInt8(FILE_TYPES[type(inode)].dirent, entry + 10);
    target.write(name, at + nameOffset, 'latin1');
    nameOffset += name.length;
  }
}
