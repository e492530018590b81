/** The names in an image that belong to its tree: all but the stubs in the root. */
import type { ReadInode } from '../formats/erofs/inode-reader.ts';
import type { ErofsImage } from '../formats/erofs/reader.ts';

export interface ImageName {
  /** Absolute, a byte a character. */
  readonly path: string;
  readonly name: string;
  readonly inode: ReadInode;
  readonly parent: ReadInode;
}

/** Depth first, a directory before its entries, those in byte order. Not recursive: images may be very deep. */
export function* walkImage(image: ErofsImage): Generator<ImageName, void, undefined> {
  const { root, inodes } = image;
  // An image that was read in spite of its problems may lead in a circle.
  const directories = new Set([root.nid]);
  const stack: ImageName[] = [{ path: '/', name: '', inode: root, parent: root }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    yield next;
    const { inode: directory, path } = next;
    if (directory.body.kind !== 'directory') continue;
    const base = path === '/' ? '/' : `${path}/`;
    for (let at = directory.body.entries.length - 1; at >= 0; at--) {
      const { name, nid } = directory.body.entries[at];
      const inode = inodes.get(nid);
      if (inode === undefined || name === '.' || name === '..') continue;
      if (directory === root && isStub(image, name, inode)) continue;
      if (inode.type === 'directory') {
        if (directories.has(nid)) continue;
        directories.add(nid);
      }
      stack.push({ path: base + name, name, inode, parent: directory });
    }
  }
}

/** Versions 0 and 1 put a whiteout for each folder of objects into the root. */
function isStub({ version }: ErofsImage, name: string, { type, body }: ReadInode): boolean {
  return (
    version !== 2 &&
    type === 'character' &&
    body.kind === 'device' &&
    body.rdev === 0 &&
    /^[0-9a-f]{2}$/.test(name)
  );
}

/** Whether whiteouts of the tree are in the directory, escaped. */
export function holdsWhiteouts({ version, inodes }: ErofsImage, directory: ReadInode): boolean {
  if (version === 2 || directory.body.kind !== 'directory') return false;
  // A directory that holds one is marked, so that few have to be looked through.
  const marked = [directory.own, directory.shared].some((xattrs) =>
    xattrs.some(({ name }) => name === 'trusted.overlay.overlay.whiteouts'),
  );
  if (!marked) return false;
  return directory.body.entries.some(({ nid }) => {
    const inode = inodes.get(nid);
    return (
      inode?.type === 'regular' &&
      [inode.own, inode.shared].some((xattrs) =>
        xattrs.some(({ name, value }) => name === 'trusted.overlay.overlay.whiteout' && value.length === 0),
      )
    );
  });
}
