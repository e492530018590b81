/** Names that overlayfs knows: paths of contents, and how the attributes that an image brings itself are escaped. */
import { encodeHex } from '../bytes/hex.ts';

const OVERLAY = 'trusted.overlay.';

/** So that overlayfs shows the attribute and does not obey it. */
export function escapeName(name: string): string {
  return name.startsWith(OVERLAY) ? `${OVERLAY}overlay.${name.slice(OVERLAY.length)}` : name;
}

/** `xx/rest`, the first byte being a folder. */
export function objectPath(digest: Uint8Array): string {
  const hex = encodeHex(digest);
  return `${hex.slice(0, 2)}/${hex.slice(2)}`;
}
