/**
 * Contents that a transform looks into and that went by unkept: a file of the policy may be a hardlink to a name that
 * nobody could have known to matter, as in images made from ostree commits. Its layer is read once more.
 */
import { BootsealError } from '../errors.ts';
import { createTarReader, type TarReader } from '../formats/tar/reader.ts';
import { neededByTransform } from './transform.ts';
import { lookup, walkTree, type RegularContent, type Tree } from './tree.ts';

/** What {@link neededByTransform} is about lies in these. */
const FOLDERS = ['boot', 'etc/selinux'];

type ExternalContent = Extract<RegularContent, { kind: 'external' }>;
interface FillableContent {
  captured?: Uint8Array;
}

/** By the number of the entry. Throws `layer/too-much-captured` when they exceed `limit` bytes together. */
export function missingContents(tree: Tree, limit: number): Map<number, ExternalContent> {
  const missing = new Map<number, ExternalContent>();
  let size = 0;
  for (const folder of FOLDERS) {
    const root = lookup(tree, folder);
    if (root?.kind !== 'directory') continue;
    walkTree({ root }, (path, node) => {
      if (node.kind !== 'regular' || node.content.kind !== 'external') return;
      const { content } = node;
      if (content.captured !== undefined || content.entry === undefined) return;
      if (!neededByTransform(`${folder}/${path}`, content.size) || missing.has(content.entry)) return;
      missing.set(content.entry, content);
      size += content.size;
      if (size > limit) {
        throw new BootsealError('layer/too-much-captured', 'too many bytes of files that are looked into');
      }
    });
  }
  return missing;
}

/** Keeps the payloads of some entries of a layer, whose first entry has the number `first`. */
export function createContentReader(wanted: ReadonlyMap<number, ExternalContent>, first: number): TarReader {
  let number = first - 1;
  let bytes: Uint8Array | undefined;
  let received = 0;
  return createTarReader({
    entry() {
      number += 1;
      const content = wanted.get(number);
      bytes = content === undefined ? undefined : new Uint8Array(content.size);
      received = 0;
    },
    data(part) {
      bytes?.set(part, received);
      received += part.length;
    },
    endOfFile() {
      const content: FillableContent | undefined = wanted.get(number);
      if (content !== undefined) content.captured = bytes;
    },
  });
}
