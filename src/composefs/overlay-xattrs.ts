/**
 * Extended attributes that tell overlayfs where a file's content is, and how those that an image brings itself are
 * escaped, so that overlayfs shows them and does not obey them.
 */
import { encodeLatin1 } from '../bytes/bytes.ts';
import { encodeHex } from '../bytes/hex.ts';
import type { ErofsXattr } from '../formats/erofs/format.ts';
import { VERITY_HASH_ID, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import type { TreeNode } from './tree.ts';

const OVERLAY = 'trusted.overlay.';
const EMPTY = new Uint8Array(0);

/** The image's own attributes, in no particular order. */
export function escapedXattrs(xattrs: ReadonlyMap<string, Uint8Array>): ErofsXattr[] {
  return [...xattrs].map(([name, value]) => ({ name: escapeName(name), value }));
}

export function escapeName(name: string): string {
  return name.startsWith(OVERLAY) ? `${OVERLAY}overlay.${name.slice(OVERLAY.length)}` : name;
}

/**
 * `metacopy` holds the digest that overlayfs demands of the content, `redirect` its path among the objects. None
 * for what is no external file. A file whose digest is not known has an empty `metacopy`.
 */
export function contentXattrs(node: TreeNode, algorithm: VerityAlgorithm): ErofsXattr[] {
  if (node.kind !== 'regular' || node.content.kind !== 'external') return [];
  const { digests, payload } = node.content;
  const digest = digests[algorithm];
  if (digest === undefined) {
    const redirect = { name: `${OVERLAY}redirect`, value: encodeLatin1(`/${payload ?? ''}`) };
    return [{ name: `${OVERLAY}metacopy`, value: EMPTY }, ...(payload === undefined ? [] : [redirect])];
  }
  // struct ovl_metacopy: version, length, flags, hash id, digest. From Buffer's pool: there is one for each file.
  const metacopy = Buffer.allocUnsafe(4 + digest.length);
  metacopy.set([0, metacopy.length, 0, VERITY_HASH_ID[algorithm]]);
  metacopy.set(digest, 4);
  return [
    { name: `${OVERLAY}metacopy`, value: metacopy },
    { name: `${OVERLAY}redirect`, value: Buffer.from(`/${objectPath(digest)}`, 'latin1') },
  ];
}

/** `xx/rest`, the first byte being a folder. */
export function objectPath(digest: Uint8Array): string {
  const hex = encodeHex(digest);
  return `${hex.slice(0, 2)}/${hex.slice(2)}`;
}

/** An empty file with these is shown as a whiteout device by an overlayfs above. */
export const WHITEOUT_XATTRS: readonly ErofsXattr[] = [
  { name: 'trusted.overlay.overlay.whiteout', value: EMPTY },
  { name: 'user.overlay.whiteout', value: EMPTY },
];

/** Of a directory that holds such files. */
export function whiteoutParentXattrs(version: 0 | 1): ErofsXattr[] {
  const marks: ErofsXattr[] = [
    { name: 'trusted.overlay.overlay.whiteouts', value: EMPTY },
    { name: 'user.overlay.whiteouts', value: EMPTY },
  ];
  if (version === 0) return marks;
  const opaque = encodeLatin1('x');
  return [
    ...marks,
    { name: 'trusted.overlay.overlay.opaque', value: opaque },
    { name: 'user.overlay.opaque', value: opaque },
  ];
}

/** Of the root: nothing of what lies below shows through. */
export const ROOT_OPAQUE: ErofsXattr = { name: 'trusted.overlay.opaque', value: encodeLatin1('y') };
