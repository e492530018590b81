/** The tree that an image was made of: stubs left out, whiteouts and attribute names as they were. */
import { decodeLatin1 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import type { ReadInode } from '../formats/erofs/inode-reader.ts';
import type { ErofsImage } from '../formats/erofs/reader.ts';
import { shownPath } from './entry-path.ts';
import { overlayMeaning, type OverlayMeaning } from './overlay-meaning.ts';
import { objectPath } from './overlay-xattrs.ts';
import type { Directory, Leaf, RegularContent, Stat, Tree, TreeNode } from './tree.ts';
import { walkImage } from './walk-image.ts';

/** Something in an image that is no tree of composefs. */
export interface ImageProblem {
  readonly code: 'composefs/bad-image';
  readonly message: string;
  readonly path: string;
}

/**
 * Throws `composefs/bad-image` with the path in `where`. With `problems` all of them are collected there, and the tree
 * is what could be made in spite of them.
 */
export function treeFromImage(image: ErofsImage, problems?: ImageProblem[]): Tree {
  const report = (message: string, path: string): void => {
    const where = shownPath(path);
    if (problems === undefined) throw new BootsealError('composefs/bad-image', message, { where });
    problems.push({ code: 'composefs/bad-image', message, path: where });
  };
  const leaves = new Map<number, Leaf>();
  const directories = new Map<number, Directory>();
  for (const { path, name, inode, parent } of walkImage(image)) {
    let node: TreeNode | undefined = leaves.get(inode.nid);
    if (node === undefined) {
      const meaning = overlayMeaning(image, inode);
      for (const problem of meaning.problems) report(problem, path);
      checkPlace(image, inode, path, report);
      node = makeNode(inode, meaning, image, (message) => report(message, path));
      if (node.kind === 'directory') directories.set(inode.nid, node);
      else leaves.set(inode.nid, node);
    }
    if (path !== '/') directories.get(parent.nid)?.children.set(name, node);
  }
  return { root: directories.get(image.root.nid)! };
}

/** What says that the root hides what is below is there, and nowhere else; whiteouts are escaped. */
function checkPlace(
  { version, root }: ErofsImage,
  inode: ReadInode,
  path: string,
  report: (message: string, path: string) => void,
): void {
  if (version === 2) return;
  const opaque = [...inode.own, ...inode.shared].find(({ name }) => name === 'trusted.overlay.opaque');
  if (inode === root && decodeLatin1(opaque?.value ?? new Uint8Array()) !== 'y') {
    report('the root is not marked opaque', path);
  }
  if (inode !== root && opaque !== undefined)
    report('an attribute trusted.overlay.opaque that is not escaped', path);
  if (inode.type === 'character' && inode.body.kind === 'device' && inode.body.rdev === 0) {
    report('a whiteout device that is not escaped', path);
  }
}

function makeNode(
  inode: ReadInode,
  meaning: OverlayMeaning,
  image: ErofsImage,
  report: (message: string) => void,
): TreeNode {
  const { type, body, mode, uid, gid, seconds, nanos } = inode;
  const xattrs = new Map(meaning.own.map(({ name, value }) => [name, value]));
  const stat: Stat = { mode, uid, gid, mtime: { seconds, nanos }, xattrs };
  if (meaning.whiteout) return { kind: 'character', stat, rdev: 0 };
  switch (type) {
    case 'directory':
      return { kind: type, stat, children: new Map() };
    case 'symlink':
      return { kind: type, stat, target: body.kind === 'symlink' ? decodeLatin1(body.target) : '' };
    case 'character':
    case 'block':
      return { kind: type, stat, rdev: body.kind === 'device' ? body.rdev : 0 };
    case 'fifo':
    case 'socket':
      return { kind: type, stat };
    case 'regular':
    default:
      return { kind: 'regular', stat, content: contentOf(inode, meaning, image, report) };
  }
}

function contentOf(
  { body, size }: ReadInode,
  { digest, algorithm, metacopy, payload }: OverlayMeaning,
  { version }: ErofsImage,
  report: (message: string) => void,
): RegularContent {
  if (body.kind === 'data') return { kind: 'inline', bytes: body.bytes };
  if (!metacopy && version !== 2) report('content elsewhere, and no metacopy attribute');
  if (digest === undefined || algorithm === undefined) {
    return { kind: 'external', size, digests: {}, ...(payload !== undefined && { payload }) };
  }
  // The path is that of the digest, unless a dump said otherwise.
  const elsewhere = payload !== objectPath(digest);
  return {
    kind: 'external',
    size,
    digests: { [algorithm]: digest },
    ...(elsewhere && { payload: payload ?? '' }),
  };
}

/** Hash of the contents that an image names; sha512 where it names none. */
export function algorithmOfImage(image: ErofsImage): 'sha256' | 'sha512' {
  for (const { own, shared } of image.inodes.values()) {
    for (const { name, value } of [...own, ...shared]) {
      if (name === 'trusted.overlay.metacopy' && value.length === 36) return 'sha256';
    }
  }
  return 'sha512';
}
