/** What both kinds of tables have in common: the comparison with the archive, and how it is refused. */
import { BootsealError, isBootsealError } from '../errors.ts';
import type { ContentTable } from '../formats/zstd-chunked/table.ts';
import { shownPath } from './entry-path.ts';
import { tableDifference, type ArchiveEntry, type TimePrecision } from './toc-entries.ts';

/** Podman compares in this order too, and refuses what is not in it. Throws `layer/toc-differs`. */
export function compareWithArchive(
  content: ContentTable,
  archive: readonly ArchiveEntry[],
  precision: TimePrecision,
): void {
  const entries = content.entries();
  for (const [index, there] of archive.entries()) {
    const next = readable(() => entries.next());
    const path = shownPath(there.entry.path);
    if (next.done === true) throw differs(`the table of contents ends before entry ${index + 1}`, path);
    const difference = tableDifference(next.value, there, precision);
    if (difference === undefined) continue;
    const { field, table, archive: here } = difference;
    const shown = [table, here].map((value) => JSON.stringify(utf8(value).slice(0, 200)));
    throw differs(`${field}: the table of contents says ${shown[0]}, the archive ${shown[1]}`, path);
  }
  const rest = readable(() => entries.next());
  if (rest.done !== true) {
    throw differs('the archive lacks an entry of the table of contents', shownPath(rest.value.path));
  }
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function differs(message: string, path: string): BootsealError {
  return refused('layer/toc-differs', `${path}: ${message}`);
}

/** A table that cannot be read is refused like one that lies: another reader may take it. */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unreadable(error);
  }
}

export function unreadable(cause: unknown): unknown {
  if (!isBootsealError(cause)) return cause;
  const { message, offset } = cause;
  return new BootsealError('layer/toc-unreadable', `the table of contents cannot be used: ${message}`, {
    exit: 1,
    cause,
    hint: HINT,
    ...(offset !== undefined && { offset }),
  });
}

const HINT =
  'podman or containerd may make other files of this layer than tools that read its archive; push it again as plain gzip or zstd';

export function refused(code: `layer/${string}`, message: string): BootsealError {
  return new BootsealError(code, message, { exit: 1, hint: HINT });
}
