/** The dump text of an image, as `composefs-info dump` prints it: what is in the image, its own numbers included. */
import { decodeLatin1 } from '../bytes/bytes.ts';
import { encodeHex } from '../bytes/hex.ts';
import { FILE_TYPES, type ErofsXattr } from '../formats/erofs/format.ts';
import type { ReadInode } from '../formats/erofs/inode-reader.ts';
import type { ErofsImage } from '../formats/erofs/reader.ts';
import { escapeDump, escapeDumpXattr } from '../formats/composefs-dump/writer.ts';
import type { ImageRules } from './image-rules.ts';
import { overlayMeaning, type OverlayMeaning } from './overlay-meaning.ts';
import { walkImage } from './walk-image.ts';

/** The lines, depth first, each with its newline; a byte a character. By C's rules it is that program's text. */
export function* dumpImage(
  image: ErofsImage,
  rules: ImageRules = 'strict',
): Generator<string, void, undefined> {
  const paths = new Map<number, string>();
  for (const { path, inode } of walkImage(image)) {
    const meaning = overlayMeaning(image, inode, rules);
    const first = paths.get(inode.nid);
    if (first === undefined && inode.type !== 'directory') paths.set(inode.nid, path);
    yield line(path, inode, meaning, first);
  }
}

function line(path: string, inode: ReadInode, meaning: OverlayMeaning, linkTo: string | undefined): string {
  const { type, body, seconds, nanos, nlink, uid, gid } = inode;
  const mode = FILE_TYPES[meaning.whiteout ? 'character' : type].mode | inode.mode;
  const target = body.kind === 'symlink' ? decodeLatin1(body.target) : meaning.payload;
  const content = body.kind === 'data' && body.bytes.length > 0 ? decodeLatin1(body.bytes) : undefined;
  const fields = [
    escapeDump(path),
    inode.size,
    `${linkTo === undefined ? '' : '@'}${mode.toString(8)}`,
    nlink,
    uid,
    gid,
    body.kind === 'device' ? body.rdev : 0,
    `${seconds}.${nanos}`,
    optional(linkTo ?? target),
    optional(content),
    meaning.digest === undefined ? '-' : encodeHex(meaning.digest),
    ...meaning.own.map(xattrText),
  ];
  return `${fields.join(' ')}\n`;
}

function xattrText({ name, value }: ErofsXattr): string {
  return `${escapeDumpXattr(name)}=${escapeDumpXattr(decodeLatin1(value))}`;
}

function optional(text: string | undefined): string {
  if (text === undefined) return '-';
  return text === '-' ? String.raw`\x2d` : escapeDump(text);
}
