/**
 * A UKI is closed when it brings its own command line and its own initrd. Without a `.cmdline` the stub takes the one
 * that the loader hands over, and without an `.initrd` the kernel takes the loader's: neither is signed.
 */
import { BootsealError } from '../errors.ts';
import type { UkiInfo } from './inspect.ts';

const NEEDED = ['.linux', '.cmdline', '.initrd'] as const;

/** The sections that are missing or empty in the base or, where a profile has its own, in that profile. */
export function openSections(info: UkiInfo): string[] {
  const groups = [info.sections, ...info.profiles.map(({ sections }) => sections)];
  return NEEDED.filter((name) => {
    const found = groups.flatMap((group) => group.filter((section) => section.name === name));
    const inBase = info.sections.some((section) => section.name === name);
    // A profile's own section takes the place of the base's; one that every profile lacks must be in the base.
    const everywhere = inBase || (info.profiles.length > 0 && found.length === info.profiles.length);
    return !everywhere || found.some(({ size }) => size === 0);
  });
}

/** Throws `uki/open`, exit 1, when anything unsigned could take a part in the boot. */
export function checkClosed(info: UkiInfo): void {
  const missing = openSections(info);
  if (missing.length === 0) return;
  throw new BootsealError(
    'uki/open',
    `the UKI has no ${missing.join(' and no ')}: an unsigned one from the loader would be taken`,
    { exit: 1, hint: 'build it with --cmdline and --initrd, so that the signature covers them' },
  );
}
