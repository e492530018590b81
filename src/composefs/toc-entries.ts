/** An archive's entries kept for comparison with a table of contents, which comes after them. */
import { createHash, type Hash } from 'node:crypto';
import type { TarEntry } from '../formats/tar/format.ts';
import { createTarReader, type TarReader } from '../formats/tar/reader.ts';
import type { TableEntry } from '../formats/zstd-chunked/table.ts';

/** An entry of an archive, and the SHA-256 of its contents in hexadecimal if it has any. */
export interface ArchiveEntry {
  readonly entry: TarEntry;
  sha256?: string;
}

/** Puts each entry into `list`. Memory: what the entries take, nothing for their contents. */
export function createEntryLister(list: ArchiveEntry[]): TarReader {
  let hash: Hash | undefined;
  return createTarReader({
    entry(entry) {
      list.push({ entry });
      hash = entry.type === 'file' && (entry.size ?? 0) > 0 ? createHash('sha256') : undefined;
    },
    data(bytes) {
      hash?.update(bytes);
    },
    endOfFile() {
      const last = list.at(-1);
      if (last !== undefined && hash !== undefined) last.sha256 = hash.digest('hex');
      hash = undefined;
    },
  });
}

export interface Difference {
  readonly field: string;
  readonly table: string;
  readonly archive: string;
}

/**
 * The first field that differs. Times of access and change are not compared, since nothing keeps them, nor are numbers
 * that mean something to other types only, such as a link's device.
 */
export function tableDifference(table: TableEntry, { entry, sha256 }: ArchiveEntry): Difference | undefined {
  const isLink = entry.type === 'symlink' || entry.type === 'hardlink';
  const isDevice = entry.type === 'character' || entry.type === 'block';
  const fields: readonly (readonly [string, string, string])[] = [
    ['name', table.path, entry.path],
    ['type', table.type, entry.type],
    ['mode', octal(table.mode), octal(entry.mode)],
    ['owner', String(table.uid), String(entry.uid)],
    ['group', String(table.gid), String(entry.gid)],
    // Only files have contents; another type with a size would be read differently by different readers.
    ['size', String(table.size), String(entry.type === 'file' ? (entry.size ?? 0) : 0)],
    ['link target', isLink ? table.linkTarget : '', isLink ? (entry.linkTarget ?? '') : ''],
    ['device', isDevice ? deviceOf(table) : '', isDevice ? deviceOf(entry) : ''],
    ['time', timeOf(table), timeOf(entry)],
    ['extended attributes', xattrsOf(table), xattrsOf(entry)],
    ['contents', contentsOf(table), sha256 ?? 'empty'],
  ];
  const found = fields.find(([, left, right]) => left !== right);
  if (found === undefined) return undefined;
  const [field, left, right] = found;
  return { field, table: left, archive: right };
}

/** Podman takes the digest for empty files as given, and writes none. */
function contentsOf({ digest, type, size }: TableEntry): string {
  if (type !== 'file') return 'empty';
  if (size === 0 && (digest === undefined || digest === EMPTY)) return 'empty';
  return digest === undefined ? 'no digest' : digest.replace('sha256:', '');
}

const EMPTY = `sha256:${createHash('sha256').digest('hex')}`;

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function deviceOf({ device }: Pick<TarEntry, 'device'>): string {
  return `${device?.major ?? 0}:${device?.minor ?? 0}`;
}

function timeOf({ mtime }: Pick<TarEntry, 'mtime'>): string {
  return `${mtime.seconds}.${String(mtime.nanos).padStart(9, '0')}`;
}

function xattrsOf({ xattrs }: Pick<TarEntry, 'xattrs'>): string {
  return [...(xattrs ?? [])]
    .map(([name, value]) => `${JSON.stringify(name)}=${Buffer.from(value).toString('hex')}`)
    .sort()
    .join(' ');
}
