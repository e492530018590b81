/**
 * Reads PE headers. `readPe` checks everything needed to index the file safely; `checkLayout` further refuses
 * what no linker writes and where tools disagree on the Authenticode hash: overlaps and gaps.
 */
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { gatherParts, partsLength, type Parts } from '../../bytes/rope.ts';
import { BootsealError } from '../../errors.ts';
import {
  COFF,
  COFF_OFFSET,
  DIRECTORY_COUNT_OFFSET,
  DIRECTORY_ENTRY_SIZE,
  DOS_HEADER_SIZE,
  DOS_PE_OFFSET,
  MACHINES,
  MAGIC_PE32,
  MAGIC_PE32_PLUS,
  MAX_DIRECTORIES,
  OPTIONAL,
  PE_SIGNATURE,
  roundUp,
  SECTION,
  SECTION_NAME_SIZE,
  SECURITY_DIRECTORY,
  type EfiArchitecture,
} from './format.ts';

/** Headers larger than this exist in no boot file: 96 sections fit into 4 KiB, stubs reserve 20. */
const MAX_HEADERS = 1024 * 1024;
/** The Windows loader's own limit; a UKI with many profiles has about 60. */
const MAX_SECTIONS = 96;

export interface PeSection {
  /** Without the padding zeros. */
  readonly name: string;
  readonly virtualSize: number;
  readonly virtualAddress: number;
  readonly rawSize: number;
  readonly rawPointer: number;
  readonly characteristics: number;
}

export interface PeImage {
  /** The first SizeOfHeaders bytes of the file. */
  readonly headers: Uint8Array;
  readonly fileSize: number;
  readonly machine: number;
  readonly architecture: EfiArchitecture | undefined;
  /** Offsets in the file. */
  readonly coffOffset: number;
  readonly optionalOffset: number;
  readonly sectionTableOffset: number;
  readonly checkSumOffset: number;
  /** Offset of the directory entry, or undefined when the header has fewer than five directories. */
  readonly securityEntryOffset: number | undefined;
  readonly directoryCount: number;
  readonly pointerToSymbolTable: number;
  readonly numberOfSymbols: number;
  readonly addressOfEntryPoint: number;
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  readonly sizeOfImage: number;
  readonly sizeOfHeaders: number;
  readonly checkSum: number;
  readonly subsystem: number;
  readonly dllCharacteristics: number;
  readonly sections: readonly PeSection[];
  /** Where the security directory says the certificate table lies: as written, not yet checked. */
  readonly certificateTable: { readonly offset: number; readonly size: number };
}

/** Parses the headers of a file given whole or in pieces. Errors are `pe/…` with the offset. */
export function readPe(file: Uint8Array | Parts): PeImage {
  const parts: Parts = file instanceof Uint8Array ? [file] : file;
  const fileSize = partsLength(parts);
  if (fileSize < DOS_HEADER_SIZE) throw fail('truncated', 'too short for a DOS header', fileSize);
  const dos = view(gatherParts(parts, 0, DOS_HEADER_SIZE));
  if (dos.getUint16(0, true) !== 0x5a4d) throw fail('not-pe', 'not a PE file: it does not start with MZ', 0);
  const peOffset = dos.getUint32(DOS_PE_OFFSET, true);
  if (peOffset < DOS_HEADER_SIZE || peOffset > MAX_HEADERS) {
    throw fail('bad-pe-offset', `the PE header cannot lie at ${peOffset}`, DOS_PE_OFFSET);
  }
  const coffOffset = peOffset + COFF_OFFSET;
  const optionalOffset = coffOffset + COFF.size;
  if (optionalOffset + 2 > fileSize) throw fail('truncated', 'the PE header is cut off', peOffset);
  const start = view(gatherParts(parts, 0, optionalOffset));
  if (start.getUint32(peOffset, true) !== PE_SIGNATURE) {
    throw fail('not-pe', 'not a PE file: no PE signature where the DOS header points', peOffset);
  }
  const sectionCount = start.getUint16(coffOffset + COFF.numberOfSections, true);
  const optionalSize = start.getUint16(coffOffset + COFF.sizeOfOptionalHeader, true);
  const sectionTableOffset = optionalOffset + optionalSize;
  const sectionTableEnd = sectionTableOffset + sectionCount * SECTION.size;
  if (sectionCount === 0 || sectionCount > MAX_SECTIONS) {
    throw fail(
      'bad-section-count',
      `${sectionCount} sections; expected 1 to ${MAX_SECTIONS}`,
      coffOffset + 2,
    );
  }
  if (sectionTableEnd > fileSize) throw fail('truncated', 'the headers are cut off', fileSize);

  const table = view(gatherParts(parts, 0, sectionTableEnd));
  const directories = readDirectories(table, optionalOffset, optionalSize);
  const field = (offset: number) => table.getUint32(optionalOffset + offset, true);
  const sizeOfHeaders = field(OPTIONAL.sizeOfHeaders);
  if (sizeOfHeaders < sectionTableEnd) {
    throw fail(
      'headers-too-small',
      'SizeOfHeaders ends before the section table',
      optionalOffset + OPTIONAL.sizeOfHeaders,
    );
  }
  if (sizeOfHeaders > fileSize || sizeOfHeaders > MAX_HEADERS) {
    throw fail(
      'headers-beyond-end',
      'SizeOfHeaders exceeds the file',
      optionalOffset + OPTIONAL.sizeOfHeaders,
    );
  }
  const machine = start.getUint16(coffOffset + COFF.machine, true);
  const sections = Array.from({ length: sectionCount }, (_, index) =>
    readSection(table, sectionTableOffset + index * SECTION.size, fileSize),
  );
  return {
    headers: gatherParts(parts, 0, sizeOfHeaders),
    fileSize,
    machine,
    architecture: architectureOf(machine),
    coffOffset,
    optionalOffset,
    sectionTableOffset,
    checkSumOffset: optionalOffset + OPTIONAL.checkSum,
    directoryCount: directories.count,
    securityEntryOffset: directories.securityEntryOffset,
    pointerToSymbolTable: start.getUint32(coffOffset + COFF.pointerToSymbolTable, true),
    numberOfSymbols: start.getUint32(coffOffset + COFF.numberOfSymbols, true),
    addressOfEntryPoint: field(OPTIONAL.addressOfEntryPoint),
    sectionAlignment: field(OPTIONAL.sectionAlignment),
    fileAlignment: field(OPTIONAL.fileAlignment),
    sizeOfImage: field(OPTIONAL.sizeOfImage),
    sizeOfHeaders,
    checkSum: field(OPTIONAL.checkSum),
    subsystem: table.getUint16(optionalOffset + OPTIONAL.subsystem, true),
    dllCharacteristics: table.getUint16(optionalOffset + OPTIONAL.dllCharacteristics, true),
    sections,
    certificateTable:
      directories.securityEntryOffset === undefined
        ? { offset: 0, size: 0 }
        : {
            offset: table.getUint32(directories.securityEntryOffset, true),
            size: table.getUint32(directories.securityEntryOffset + 4, true),
          },
  };
}

/**
 * Refuses files whose raw data overlaps, leaves gaps or reaches into the certificate table. Signers hash such
 * files differently (some walk the sections, some hash the flat file), so one of them is always wrong.
 */
export function checkLayout(pe: PeImage): void {
  const dataEnd = pe.certificateTable.size > 0 ? pe.certificateTable.offset : pe.fileSize;
  const inFileOrder = pe.sections
    .filter((section) => section.rawSize > 0)
    .sort((a, b) => a.rawPointer - b.rawPointer);
  let end = pe.sizeOfHeaders;
  for (const section of inFileOrder) {
    if (section.rawPointer < end) {
      throw fail('overlap', `${quote(section)} overlaps what precedes it in the file`, section.rawPointer);
    }
    if (section.rawPointer > end) {
      throw fail(
        'gap',
        `${section.rawPointer - end} bytes before ${quote(section)} belong to no section`,
        end,
      );
    }
    end += section.rawSize;
  }
  if (end > dataEnd) throw fail('overlap', 'a section reaches into the certificate table', dataEnd);
  const inMemoryOrder = [...pe.sections].sort((a, b) => a.virtualAddress - b.virtualAddress);
  let address = 0;
  for (const section of inMemoryOrder) {
    if (section.virtualAddress < address) {
      throw fail('address-overlap', `${quote(section)} overlaps another section in memory`);
    }
    address = section.virtualAddress + section.virtualSize;
  }
  const name = pe.sections.find((section) => section.name.includes('\uFFFD'));
  if (name !== undefined) throw fail('bad-section-name', 'a section name is not UTF-8');
}

/** Size of a section's contents: padding in the file and zero fill in memory do not count. */
export function contentSize(section: PeSection): number {
  return Math.min(section.virtualSize, section.rawSize);
}

/** End of the certificate-free part: what the Authenticode hash covers, before padding. */
export function unsignedSize(pe: PeImage): number {
  return pe.certificateTable.size > 0 ? pe.certificateTable.offset : pe.fileSize;
}

/** True when the alignments are powers of two that make sense together. */
export function alignmentsAreSane(pe: PeImage): boolean {
  const powerOfTwo = (value: number) =>
    value > 0 && roundUp(value, 1) === value && (value & (value - 1)) === 0;
  return powerOfTwo(pe.fileAlignment) && powerOfTwo(pe.sectionAlignment) && pe.fileAlignment <= 0x1_0000;
}

function readDirectories(
  table: DataView,
  optionalOffset: number,
  optionalSize: number,
): { count: number; securityEntryOffset: number | undefined } {
  const magic = optionalSize >= 2 ? table.getUint16(optionalOffset, true) : 0;
  if (magic !== MAGIC_PE32 && magic !== MAGIC_PE32_PLUS) {
    throw fail('bad-optional-header', 'neither a PE32 nor a PE32+ optional header', optionalOffset);
  }
  const countOffset = DIRECTORY_COUNT_OFFSET[magic];
  if (optionalSize < countOffset + 4) {
    throw fail('bad-optional-header', 'the optional header is too short', optionalOffset);
  }
  const count = table.getUint32(optionalOffset + countOffset, true);
  if (count > MAX_DIRECTORIES) {
    throw fail(
      'bad-directory-count',
      `${count} data directories; at most 16 exist`,
      optionalOffset + countOffset,
    );
  }
  const directories = optionalOffset + countOffset + 4;
  if (directories + count * DIRECTORY_ENTRY_SIZE > optionalOffset + optionalSize) {
    throw fail('bad-directory-count', 'the data directories reach beyond the optional header', directories);
  }
  const securityEntryOffset =
    count > SECURITY_DIRECTORY ? directories + SECURITY_DIRECTORY * DIRECTORY_ENTRY_SIZE : undefined;
  return { count, securityEntryOffset };
}

function readSection(table: DataView, offset: number, fileSize: number): PeSection {
  const field = (at: number) => table.getUint32(offset + at, true);
  const padded = new Uint8Array(table.buffer, table.byteOffset + offset, SECTION_NAME_SIZE);
  const nul = padded.indexOf(0);
  // Not thrown here, because a file may be inspected that is not fit for signing: see checkLayout.
  const name = decodeUtf8(nul < 0 ? padded : padded.subarray(0, nul)) ?? '\uFFFD';
  const section: PeSection = {
    name,
    virtualSize: field(SECTION.virtualSize),
    virtualAddress: field(SECTION.virtualAddress),
    rawSize: field(SECTION.sizeOfRawData),
    rawPointer: field(SECTION.pointerToRawData),
    characteristics: field(SECTION.characteristics),
  };
  if (section.rawSize > 0 && section.rawPointer + section.rawSize > fileSize) {
    throw fail('section-beyond-end', `${quote(section)} reaches beyond the end of the file`, offset);
  }
  return section;
}

function architectureOf(machine: number): EfiArchitecture | undefined {
  const found = Object.entries(MACHINES).find(([, value]) => value === machine);
  return found?.[0] as EfiArchitecture | undefined;
}

function quote(section: PeSection): string {
  return `section ${JSON.stringify(section.name)}`;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function fail(what: string, message: string, offset?: number): BootsealError {
  return new BootsealError(`pe/${what}`, message, offset === undefined ? {} : { offset });
}
