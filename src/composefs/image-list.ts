/** What `composefs-info ls` and `objects` print of an image. */
import { decodeLatin1 } from '../bytes/bytes.ts';
import type { ErofsImage } from '../formats/erofs/reader.ts';
import { escapeDump } from '../formats/composefs-dump/writer.ts';
import { overlayMeaning } from './overlay-meaning.ts';
import { walkImage } from './walk-image.ts';

/** Names in their order, each on a line, with what they lead to. */
export function* listImage(image: ErofsImage): Generator<string, void, undefined> {
  const seen = new Set<number>();
  for (const { path, inode } of walkImage(image)) {
    if (path === '/') continue;
    const shown = escapeDump(path).replaceAll(String.raw`\x20`, ' ');
    // Of a file that has been listed the name alone.
    const again = seen.has(inode.nid);
    seen.add(inode.nid);
    const { payload } = overlayMeaning(image, inode);
    if (inode.type === 'directory') yield `${shown}/\t\n`;
    else if (again) yield `${shown}\n`;
    else if (inode.body.kind === 'symlink')
      yield `${shown}\t-> ${escapeDump(decodeLatin1(inode.body.target))}\n`;
    else yield payload === undefined ? `${shown}\n` : `${shown}\t@ ${escapeDump(payload)}\n`;
  }
}

/** Paths of the contents that are kept elsewhere, each once, in byte order; a byte a character. */
export function objectsOf(images: readonly ErofsImage[]): string[] {
  const objects = new Set<string>();
  for (const image of images) {
    for (const inode of image.inodes.values()) {
      const { payload } = overlayMeaning(image, inode);
      if (payload !== undefined && payload !== '') objects.add(payload);
    }
  }
  return [...objects].sort((a, b) => (a < b ? -1 : 1));
}
