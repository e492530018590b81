/** What the attributes of an inode in an image mean: where its content is, what was escaped, what the image brings itself. */
import { decodeLatin1 } from '../bytes/bytes.ts';
import type { ErofsXattr } from '../formats/erofs/format.ts';
import type { ReadInode } from '../formats/erofs/inode-reader.ts';
import type { ErofsImage } from '../formats/erofs/reader.ts';
import { VERITY_DIGEST_SIZE, VERITY_HASH_ID, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import type { ImageRules } from './image-rules.ts';
import { holdsWhiteouts } from './walk-image.ts';

const OVERLAY = 'trusted.overlay.';
const ESCAPED = 'trusted.overlay.overlay.';

export interface OverlayMeaning {
  /** The file stands for a whiteout device. */
  readonly whiteout: boolean;
  /** fs-verity digest of the content. */
  readonly digest?: Uint8Array;
  readonly algorithm?: VerityAlgorithm;
  readonly metacopy: boolean;
  /** Path of the content among the objects, without its leading slash. */
  readonly payload?: string;
  /** The image's own, unescaped, in the order given. */
  readonly own: readonly ErofsXattr[];
  /** What none of this explains. */
  readonly problems: readonly string[];
}

/**
 * What is in a directory that holds escaped whiteouts besides its own attributes is left out. `as` C takes the marks of
 * opaqueness for the directory's own all the same, which does not matter when C reads them back.
 */
export function overlayMeaning(
  image: ErofsImage,
  inode: ReadInode,
  as: ImageRules = 'strict',
): OverlayMeaning {
  const { type, body } = inode;
  const problems: string[] = [];
  const own: ErofsXattr[] = [];
  const xattrs = [...inode.own, ...inode.shared];
  const whiteout =
    image.version !== 2 &&
    type === 'regular' &&
    body.kind === 'data' &&
    body.bytes.length === 0 &&
    xattrs.some(({ name, value }) => name === 'trusted.overlay.overlay.whiteout' && value.length === 0) &&
    xattrs.some(({ name, value }) => name === 'user.overlay.whiteout' && value.length === 0);
  // Version 0 does not mark directories as opaque.
  const marksOfDirectory = as === 'c' || image.version === 0 ? WHITEOUTS_MARKS : DIRECTORY_MARKS;
  const marks = new Map<string, string>(
    whiteout ? FILE_MARKS : holdsWhiteouts(image, inode) ? marksOfDirectory : [],
  );
  let metacopy = false;
  let found: { readonly digest: Uint8Array; readonly algorithm: VerityAlgorithm } | undefined;
  let payload: string | undefined;
  for (const xattr of xattrs) {
    const { name, value } = xattr;
    const mark = marks.get(name);
    if (mark !== undefined && (as === 'c' || decodeLatin1(value) === mark)) {
      // In an image of composefs-rs one of the directory's own may stand beside it.
      if (as !== 'c') marks.delete(name);
    } else if (name.startsWith(ESCAPED)) own.push({ name: OVERLAY + name.slice(ESCAPED.length), value });
    else if (name === `${OVERLAY}metacopy`) {
      metacopy = true;
      found = readMetacopy(value);
      if (found === undefined && value.length > 0) problems.push('metacopy is none that composefs writes');
    } else if (name === `${OVERLAY}redirect`) {
      payload = decodeLatin1(value);
      if (!payload.startsWith('/') || payload.includes('\0'))
        problems.push('redirect is no path among the objects');
      payload = payload.slice(1);
    } else if (name.startsWith(OVERLAY) && name !== `${OVERLAY}opaque`) {
      problems.push(`an attribute ${name} that is not escaped`);
    } else if (!name.startsWith(OVERLAY)) own.push(xattr);
  }
  if ((metacopy || payload !== undefined) && body.kind !== 'external') {
    problems.push('says that its content is elsewhere, and has it');
  }
  const unique = [...new Map(own.map((xattr) => [xattr.name, xattr])).values()];
  // C keeps the last of them.
  if (unique.length < own.length && as !== 'c') problems.push('an attribute twice');
  return { whiteout, metacopy, ...found, ...(payload !== undefined && { payload }), own: unique, problems };
}

/** Names and values. */
const FILE_MARKS = [
  ['trusted.overlay.overlay.whiteout', ''],
  ['user.overlay.whiteout', ''],
] as const;
const WHITEOUTS_MARKS = [
  ['trusted.overlay.overlay.whiteouts', ''],
  ['user.overlay.whiteouts', ''],
] as const;
const DIRECTORY_MARKS = [
  ...WHITEOUTS_MARKS,
  ['trusted.overlay.overlay.opaque', 'x'],
  ['user.overlay.opaque', 'x'],
] as const;

/** struct ovl_metacopy: version, length, flags, hash id, digest. */
function readMetacopy(
  value: Uint8Array,
): { readonly digest: Uint8Array; readonly algorithm: VerityAlgorithm } | undefined {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const size = VERITY_DIGEST_SIZE[algorithm];
    const good =
      value.length === 4 + size &&
      value[0] === 0 &&
      value[1] === value.length &&
      value[2] === 0 &&
      value[3] === VERITY_HASH_ID[algorithm];
    if (good) return { digest: value.slice(4), algorithm };
  }
  return undefined;
}
