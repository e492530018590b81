/** An archive's entries kept for comparison with a table of contents, which comes after them. */
import { createHash, type Hash } from 'node:crypto';
import { concatBytes } from '../bytes/bytes.ts';
import type { TarEntry, TarTime } from '../formats/tar/format.ts';
import { createTarReader, type TarReader } from '../formats/tar/reader.ts';
import type { TableEntry } from '../formats/zstd-chunked/table.ts';

/** An entry of an archive, and the SHA-256 of its contents in hexadecimal if it has any. */
export interface ArchiveEntry {
  readonly entry: TarEntry;
  sha256?: string;
}

export interface EntryLister extends TarReader {
  /** Contents of the last entry, when it is the file that was asked for. */
  lastBytes(): Uint8Array | undefined;
}

/**
 * Puts each entry into `list`. Memory: what the entries take, nothing for their contents but those of a file named
 * `keep` of up to `limit` bytes, as long as nothing comes after it.
 */
export function createEntryLister(list: ArchiveEntry[], keep?: string, limit = 0): EntryLister {
  let hash: Hash | undefined;
  let kept: Uint8Array[] | undefined;
  const reader = createTarReader({
    entry(entry) {
      list.push({ entry });
      const wanted = entry.type === 'file' && entry.path === keep && (entry.size ?? 0) <= limit;
      kept = wanted ? [] : undefined;
      hash = entry.type === 'file' && (entry.size ?? 0) > 0 ? createHash('sha256') : undefined;
    },
    data(bytes) {
      hash?.update(bytes);
      kept?.push(Uint8Array.from(bytes));
    },
    endOfFile() {
      const last = list.at(-1);
      if (last !== undefined && hash !== undefined) last.sha256 = hash.digest('hex');
      hash = undefined;
    },
  });
  return { ...reader, lastBytes: () => kept && concatBytes(kept) };
}

/** eStargz rounds times to seconds. */
export type TimePrecision = 'seconds' | 'nanoseconds';

export interface Difference {
  readonly field: string;
  readonly table: string;
  readonly archive: string;
}

/**
 * The first field that differs. Times of access and change are not compared, since nothing keeps them, nor are numbers
 * that mean something to other types only, such as a link's device.
 */
export function tableDifference(
  table: TableEntry,
  { entry, sha256 }: ArchiveEntry,
  precision: TimePrecision,
): Difference | undefined {
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
    ['time', timeOf(table.mtime), timeOf(precision === 'seconds' ? rounded(entry.mtime) : entry.mtime)],
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

function timeOf({ seconds, nanos }: TarTime): string {
  return `${seconds}.${String(nanos).padStart(9, '0')}`;
}

function rounded({ seconds, nanos }: TarTime): TarTime {
  return { seconds: nanos >= 500_000_000 ? seconds + 1n : seconds, nanos: 0 };
}

function xattrsOf({ xattrs }: Pick<TarEntry, 'xattrs'>): string {
  return [...(xattrs ?? [])]
    .map(([name, value]) => `${JSON.stringify(name)}=${Buffer.from(value).toString('hex')}`)
    .sort()
    .join(' ');
}
