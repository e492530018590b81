/** What is in a UKI, an addon or a profile: its sections by profile, as `ukify inspect` shows them. */
import { hash } from 'node:crypto';
import { decodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import type { EfiArchitecture } from '../formats/pe/format.ts';
import { checkLayout, contentSize, readPe, type PeSection } from '../formats/pe/reader.ts';
import { REPEATABLE } from './sections.ts';

export interface UkiSectionInfo {
  readonly name: string;
  /** Bytes of contents: without padding in the file, without zero fill in memory. */
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Of sections that hold text: untrusted. Undefined when the contents are not UTF-8, or not meant to be. */
  readonly text?: string;
  /** A view into the file. */
  readonly data: Uint8Array;
}

export interface UkiProfile {
  /** Starts with `.profile`; a section that is missing here is the one of the base. */
  readonly sections: readonly UkiSectionInfo[];
}

export interface UkiInfo {
  readonly architecture: EfiArchitecture | undefined;
  /** Of the base, before the first `.profile`; only those with a meaning in a UKI. */
  readonly sections: readonly UkiSectionInfo[];
  /** Empty in a UKI without profiles. The first is the default. */
  readonly profiles: readonly UkiProfile[];
}

/** The sections with a meaning in a UKI: true where the contents are text. */
const UKI_SECTIONS: ReadonlyMap<string, boolean> = new Map([
  ['.linux', false],
  ['.osrel', true],
  ['.cmdline', true],
  ['.initrd', false],
  ['.efifw', false],
  ['.ucode', false],
  ['.splash', false],
  ['.dtb', false],
  ['.dtbauto', false],
  ['.hwids', false],
  ['.uname', true],
  ['.sbat', true],
  ['.profile', true],
  ['.pcrpkey', true],
  ['.pcrsig', true],
]);

export interface InspectOptions {
  /** Also looks into files with gaps and overlaps, which nothing else here accepts. */
  readonly anyLayout?: boolean;
}

/**
 * Reads the sections. Refuses malformed files, and a section that appears twice in one profile: which of them
 * counts would be up to the reader. Errors are `pe/…` and `uki/…`. The signature is not looked at.
 */
export function inspectUki(bytes: Uint8Array, options: InspectOptions = {}): UkiInfo {
  const pe = readPe(bytes);
  if (options.anyLayout !== true) checkLayout(pe);
  const base: UkiSectionInfo[] = [];
  const profiles: { sections: UkiSectionInfo[] }[] = [];
  for (const section of pe.sections) {
    const isText = UKI_SECTIONS.get(section.name);
    if (isText === undefined) continue;
    if (section.name === '.profile') profiles.push({ sections: [] });
    const group = profiles.at(-1)?.sections ?? base;
    if (!REPEATABLE.has(section.name) && group.some((known) => known.name === section.name)) {
      throw new BootsealError(
        'uki/duplicate-section',
        `section ${section.name} appears twice in one profile`,
        {
          exit: 1,
        },
      );
    }
    group.push(describe(bytes, section, isText));
  }
  return { architecture: pe.architecture, sections: base, profiles };
}

/** The text as `ukify inspect` shows it: no zero bytes at the end, `\\0` for those inside. */
export function shownText({ name, data }: UkiSectionInfo): string | undefined {
  if (UKI_SECTIONS.get(name) !== true) return undefined;
  const text = decodeUtf8(data);
  // oxlint-disable-next-line no-control-regex -- the zero bytes are what is replaced
  return text === undefined ? '(not valid UTF-8)' : text.replace(/\0+$/, '').replaceAll('\0', '\\0');
}

/** The first section of this name in the base. */
export function sectionOf(info: UkiInfo, name: string): UkiSectionInfo | undefined {
  return info.sections.find((section) => section.name === name);
}

function describe(bytes: Uint8Array, section: PeSection, isText: boolean): UkiSectionInfo {
  const data = bytes.subarray(section.rawPointer, section.rawPointer + contentSize(section));
  const info = { name: section.name, size: data.length, sha256: hash('sha256', data, 'hex'), data };
  const text = isText ? decodeUtf8(data) : undefined;
  return text === undefined ? info : { ...info, text };
}
