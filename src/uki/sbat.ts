/** SBAT, the revocation metadata of boot programs: the lines of stub and kernel and our own, under one header. */
import { decodeUtf8, encodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { contentSize, type PeImage } from '../formats/pe/reader.ts';
import { splitLines } from './python-text.ts';

const HEADER = 'sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md';
export const DEFAULT_UKI_SBAT = `${HEADER}\nuki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n`;
export const DEFAULT_ADDON_SBAT = `${HEADER}\nuki-addon,1,UKI Addon,addon,1,https://www.freedesktop.org/software/systemd/man/latest/systemd-stub.html\n`;

/**
 * One header, then the lines of each text without its own header. As with ukify, a text whose first line does
 * not start with `sbat,` adds nothing; `skipped` is called with its index, so that somebody hears of it.
 */
export function mergeSbat(texts: readonly string[], skipped?: (index: number) => void): Uint8Array {
  const lines = texts.flatMap((text, index) => {
    const [first, ...rest] = splitLines(text);
    if (first?.startsWith('sbat,')) return rest;
    skipped?.(index);
    return [];
  });
  return encodeUtf8(`${HEADER}\n${lines.join('\n')}\n`);
}

/** Text of the `.sbat` section, or undefined when the image has none. */
export function sbatOf(pe: PeImage, bytes: Uint8Array): string | undefined {
  const section = pe.sections.find((candidate) => candidate.name === '.sbat');
  if (section === undefined || contentSize(section) === 0) return undefined;
  const data = bytes.subarray(section.rawPointer, section.rawPointer + contentSize(section));
  const text = decodeUtf8(data);
  if (text === undefined) {
    throw new BootsealError('uki/bad-sbat', 'a .sbat section is not UTF-8', { offset: section.rawPointer });
  }
  // oxlint-disable-next-line no-control-regex -- the zero bytes behind the text
  return text.replace(/\0+$/, '');
}
