/** The one composefs digest that a UKI names, whichever of its profiles is started. */
import { decodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { composefsKarg } from '../uki/cmdline.ts';
import type { UkiInfo, UkiSectionInfo } from '../uki/inspect.ts';

/** Throws with exit 1: `seal/no-cmdline`, `seal/no-composefs-karg`, `seal/verity-optional`, `uki/…`. */
export function sealedDigest(info: UkiInfo): string {
  const [first, ...others] = commandLines(info).map((section) => digestIn(section));
  if (others.some((digest) => digest !== first)) {
    throw refuse('uki/composefs-ambiguous', 'profiles of the UKI name different composefs digests');
  }
  return first;
}

/** `.cmdline` of the base as text, without what a builder may have left at its end. */
export function cmdlineOf(info: UkiInfo): string {
  const [base] = commandLines(info);
  // oxlint-disable-next-line no-control-regex -- padding
  return (decodeUtf8(base.data) ?? '').replace(/[\0\n]+$/, '');
}

function commandLines(info: UkiInfo): [UkiSectionInfo, ...UkiSectionInfo[]] {
  const all = [info.sections, ...info.profiles.map(({ sections }) => sections)].flatMap((sections) =>
    sections.filter(({ name }) => name === '.cmdline'),
  );
  const [first, ...others] = all;
  if (first === undefined) {
    throw refuse(
      'seal/no-cmdline',
      'the UKI has no .cmdline: the boot loader would take one that nobody signed',
    );
  }
  return [first, ...others];
}

function digestIn({ data }: UkiSectionInfo): string {
  const karg = composefsKarg(data);
  if (karg === undefined)
    throw refuse('seal/no-composefs-karg', 'the command line of the UKI has no composefs=');
  if (karg.optional) {
    throw refuse('seal/verity-optional', 'composefs=? makes verification optional: nothing is sealed');
  }
  return karg.digest;
}

function refuse(code: `seal/${string}` | `uki/${string}`, message: string): BootsealError {
  return new BootsealError(code, message, { exit: 1 });
}
