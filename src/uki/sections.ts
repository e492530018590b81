/** The sections of a UKI by name, and the order in which ukify writes them. */
import { BootsealError } from '../errors.ts';
import type { Parts } from '../bytes/rope.ts';
import { encodeUtf8 } from '../bytes/bytes.ts';
import { partsLength } from '../bytes/rope.ts';
import { SECTION_NAME_SIZE } from '../formats/pe/format.ts';

/** Contents by section; what is absent gets no section, what is empty gets one of size 0. */
export interface UkiSections {
  readonly osrel?: Uint8Array;
  readonly cmdline?: Uint8Array;
  readonly dtb?: Uint8Array;
  readonly dtbauto?: readonly Uint8Array[];
  readonly hwids?: Uint8Array;
  readonly uname?: Uint8Array;
  readonly splash?: Uint8Array;
  /** PEM of the key that signs PCR policies. */
  readonly pcrpkey?: Uint8Array;
  /** A kernel makes it a UKI; without one it is an addon or a profile. */
  readonly linux?: Uint8Array;
  /** Several are joined, each padded with zeros to 4 bytes. */
  readonly initrd?: readonly Uint8Array[];
  readonly efifw?: readonly Uint8Array[];
  readonly ucode?: Uint8Array;
  /** Further sections, in this order; a name that the stub has is overwritten in place. */
  readonly extra?: readonly NamedSection[];
  /** SBAT texts to add to the stub's and the kernel's; absent: a line that says "a UKI". */
  readonly sbat?: readonly string[];
  /** os-release-like text of the first profile. */
  readonly profile?: Uint8Array;
}

export interface NamedSection {
  readonly name: string;
  readonly data: Uint8Array;
}

export interface UkiSection {
  readonly name: string;
  readonly data: Parts;
}

/** Sections that may appear more than once in a profile; the stub chooses among them. */
export const REPEATABLE: ReadonlySet<string> = new Set(['.dtbauto', '.efifw']);

/** The sections that go before `.sbat`, in ukify's order. */
export function orderSections(sections: UkiSections): UkiSection[] {
  const ordered: [string, Parts | undefined][] = [
    ['.osrel', one(sections.osrel)],
    ['.cmdline', one(sections.cmdline)],
    ['.dtb', one(sections.dtb)],
    ...(sections.dtbauto ?? []).map((data): [string, Parts] => ['.dtbauto', [data]]),
    ['.hwids', one(sections.hwids)],
    ['.uname', one(sections.uname)],
    ['.splash', one(sections.splash)],
    ['.pcrpkey', one(sections.pcrpkey)],
    ['.linux', one(sections.linux)],
    ['.initrd', joinInitrds(sections.initrd ?? [])],
    ...(sections.efifw ?? []).map((data): [string, Parts] => ['.efifw', [data]]),
    ['.ucode', one(sections.ucode)],
  ];
  const known = ordered.flatMap(([name, data]) => (data === undefined ? [] : [{ name, data }]));
  const all = [...known, ...(sections.extra ?? []).map(({ name, data }) => ({ name, data: [data] }))];
  const seen = new Set<string>();
  for (const { name } of all) {
    checkName(name);
    if (seen.has(name) && !REPEATABLE.has(name)) {
      throw new BootsealError('uki/duplicate-section', `section ${JSON.stringify(name)} is given twice`, {
        exit: 2,
      });
    }
    seen.add(name);
  }
  return all;
}

/** Initrds after each other, padded to 4 bytes as the kernel wants archives; a single one stays as it is. */
export function joinInitrds(initrds: readonly Uint8Array[]): Parts | undefined {
  if (initrds.length <= 1) return one(initrds[0]);
  const joined = initrds.flatMap((initrd) => [initrd, new Uint8Array((4 - (initrd.length % 4)) % 4)]);
  return partsLength(joined) === 0 ? undefined : joined;
}

function one(data: Uint8Array | undefined): Parts | undefined {
  return data === undefined ? undefined : [data];
}

function checkName(name: string): void {
  const bytes = encodeUtf8(name);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (bytes.length > SECTION_NAME_SIZE || !/^[\x20-\x7e]*$/.test(name)) {
    throw new BootsealError(
      'uki/section-name',
      `section name ${JSON.stringify(name)}: at most 8 ASCII characters`,
      { exit: 2 },
    );
  }
}
