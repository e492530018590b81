/** Profiles of a UKI: variants that share the sections before the first `.profile`, chosen at boot by `@N`. */
import { BootsealError } from '../errors.ts';
import { checkLayout, contentSize, readPe } from '../formats/pe/reader.ts';
import type { UkiSection } from './sections.ts';

/** What ukify names the base when other profiles are joined. */
export const DEFAULT_PROFILE = 'ID=main';

/** What a joined profile may bring along; everything else in its file is left out, as ukify does. */
const JOINED_SECTIONS: ReadonlySet<string> = new Set([
  '.linux',
  '.osrel',
  '.cmdline',
  '.initrd',
  '.efifw',
  '.ucode',
  '.splash',
  '.dtb',
  '.uname',
  '.sbat',
  '.profile',
]);

/**
 * The sections of a profile file (made with `--profile` and the addon stub), to be joined to a UKI. `baseHasOsrel`:
 * a UKI without os-release takes none from its profiles.
 */
export function readProfileFile(file: Uint8Array, baseHasOsrel: boolean): UkiSection[] {
  const pe = readPe(file);
  checkLayout(pe);
  const sections = pe.sections.filter(({ name }) => JOINED_SECTIONS.has(name));
  const [first] = sections;
  if (first?.name !== '.profile') {
    throw new BootsealError(
      'uki/not-a-profile',
      `a profile must start with .profile, this file with ${first === undefined ? 'none of its sections' : first.name}`,
      { hint: 'build it with --profile and addon<arch>.efi.stub' },
    );
  }
  if (sections.filter(({ name }) => name === '.profile').length > 1) {
    throw new BootsealError('uki/not-a-profile', 'the file holds several profiles');
  }
  return sections
    .filter(({ name }) => name !== '.osrel' || baseHasOsrel)
    .map((section) => ({
      name: section.name,
      data: [file.subarray(section.rawPointer, section.rawPointer + contentSize(section))],
    }));
}
