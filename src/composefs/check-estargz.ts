/**
 * eStargz layers: their table of contents is the last file of the archive. Podman goes by it only when told to take
 * unpredictable contents, the snapshotter of containerd always.
 */
import { createHash } from 'node:crypto';
import { digestParts, isDigest } from '../formats/oci/digest.ts';
import { ESTARGZ_ANNOTATION, ESTARGZ_TABLE, MAX_TABLE } from '../formats/zstd-chunked/format.ts';
import { parseTable } from '../formats/zstd-chunked/table.ts';
import type { TocCheck } from './toc-check.ts';
import { compareWithArchive, readable, refused } from './toc-compare.ts';
import { createEntryLister, type ArchiveEntry } from './toc-entries.ts';

/** `annotation` is that of the descriptor. Throws as `createTocCheck` does. */
export function createEstargzCheck(annotation: string): TocCheck {
  if (!isDigest(annotation)) {
    throw refused('layer/toc-unreadable', `annotation ${ESTARGZ_ANNOTATION} is no digest`);
  }
  const entries: ArchiveEntry[] = [];
  const lister = createEntryLister(entries, ESTARGZ_TABLE, MAX_TABLE);
  return {
    blob: () => undefined,
    archive: (bytes) => lister.push(bytes),
    async end() {
      // 1. A table elsewhere, as in zstd layers of nerdctl, is not looked for: what is not compared is refused.
      const bytes = lister.lastBytes();
      if (bytes === undefined) {
        throw refused(
          'layer/toc-unreadable',
          `the last file of the layer is not ${ESTARGZ_TABLE}, the table of contents that an annotation names`,
        );
      }
      // 2. Its digest, before anything in it is looked at.
      const { algorithm, hex } = digestParts(annotation);
      const actual = createHash(algorithm).update(bytes).digest('hex');
      if (actual !== hex) {
        throw refused(
          'layer/toc-digest',
          `the table of contents is ${actual}, the annotation says ${annotation}`,
        );
      }
      // 3. It lists all that comes before it.
      const table = readable(() => parseTable(bytes));
      compareWithArchive(table, entries.slice(0, -1), 'seconds');
    },
  };
}
