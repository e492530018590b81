/**
 * EFI stubs, the programs that a UKI starts from. `prepareStub` makes one ready to take sections, the way ukify
 * does, and refuses the malformed ones: some of those ukify turns into files that do not boot.
 */
import { concatBytes } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import {
  COFF,
  COFF_LOCAL_SYMBOLS_STRIPPED,
  COFF_SYMBOL_SIZE,
  OPTIONAL,
  roundUp,
  SECTION,
} from '../formats/pe/format.ts';
import { alignmentsAreSane, checkLayout, contentSize, readPe, type PeImage } from '../formats/pe/reader.ts';

/** The stub of systemd is 130 KiB; one with a splash or an embedded key is still below 16 MiB. */
const MAX_STUB_BYTES = 64 * 1024 * 1024;

export interface Stub {
  /** Our own copy, free to change. */
  readonly bytes: Uint8Array;
  readonly pe: PeImage;
}

/** Checks a stub and aligns what old ones left unaligned. Errors are `uki/…` and `pe/…`. */
export function prepareStub(input: Uint8Array): Stub {
  if (input.length > MAX_STUB_BYTES) throw bad('larger than any stub');
  const original = readPe(input);
  if (original.certificateTable.offset !== 0 || original.certificateTable.size !== 0) {
    throw new BootsealError(
      'uki/signed-stub',
      'the stub is signed: adding sections would break its signature',
      {
        hint: 'use the unsigned stub, and sign the UKI',
      },
    );
  }
  checkStub(original);
  // 1. Old stubs carry a symbol table at the end of the file, where sections are to go.
  const stripped = dropSymbolTable(input, original);
  // 2. Stripped ones have unaligned raw sizes.
  const aligned = alignSections(stripped, readPe(stripped));
  // 3. The first section starts at a multiple of FileAlignment: the room before it may hold headers.
  const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.length);
  const sizeOfHeaders = roundUp(original.sizeOfHeaders, original.fileAlignment);
  view.setUint32(original.optionalOffset + OPTIONAL.sizeOfHeaders, sizeOfHeaders, true);
  const pe = readPe(aligned);
  checkLayout(pe);
  return { bytes: aligned, pe };
}

function checkStub(pe: PeImage): void {
  if (!alignmentsAreSane(pe)) throw bad('an alignment is no power of two');
  if (pe.securityEntryOffset === undefined)
    throw bad('fewer than five data directories: it could not be signed');
  // Addresses need not be aligned: the stubs of systemd 252, with a SectionAlignment of 0x200, put .sdmagic at
  // 0x19100. What counts is that no section is loaded over another.
  let end = 0;
  for (const section of pe.sections) {
    if (section.virtualAddress < end) {
      throw bad(`section ${JSON.stringify(section.name)} lies below or over the one before it in memory`);
    }
    end = section.virtualAddress + contentSize(section);
  }
  const entry = pe.addressOfEntryPoint;
  const inside = pe.sections.some(
    (section) =>
      entry >= section.virtualAddress &&
      entry < section.virtualAddress + Math.max(section.virtualSize, section.rawSize),
  );
  if (!inside) throw bad('the entry point lies outside every section');
  const sbat = pe.sections.find((section) => section.name === '.sbat');
  if (sbat !== undefined && sbat.rawPointer % Math.min(pe.fileAlignment, 0x200) !== 0) {
    throw bad('.sbat is not aligned in the file, so that tools read it at different places');
  }
  checkRawOrder(pe);
}

/** No gap and no overlap, seen with the headers rounded up; raw sizes may still be unaligned. */
function checkRawOrder(pe: PeImage): void {
  let end = roundUp(pe.sizeOfHeaders, pe.fileAlignment);
  for (const section of pe.sections) {
    if (section.rawSize === 0) continue;
    if (section.rawPointer !== end && section.rawPointer !== pe.sizeOfHeaders) {
      const what = section.rawPointer < end ? 'overlaps what precedes it' : 'leaves a gap before it';
      throw bad(`section ${JSON.stringify(section.name)} ${what} in the file`);
    }
    end = section.rawPointer + section.rawSize;
  }
}

function dropSymbolTable(input: Uint8Array, pe: PeImage): Uint8Array {
  const bytes = Uint8Array.from(input);
  if (pe.pointerToSymbolTable === 0) return bytes;
  const view = new DataView(bytes.buffer);
  const strings = pe.pointerToSymbolTable + pe.numberOfSymbols * COFF_SYMBOL_SIZE;
  // A string table, which starts with its own length, may follow.
  const stringsSize = strings + 4 <= bytes.length ? view.getUint32(strings, true) : 0;
  if (strings + stringsSize !== bytes.length) return bytes;
  view.setUint32(pe.coffOffset + COFF.pointerToSymbolTable, 0, true);
  view.setUint32(pe.coffOffset + COFF.numberOfSymbols, 0, true);
  const flags = pe.coffOffset + COFF.characteristics;
  view.setUint16(flags, view.getUint16(flags, true) | COFF_LOCAL_SYMBOLS_STRIPPED, true);
  return bytes.subarray(0, pe.pointerToSymbolTable);
}

/** Rounds each section's place and size in the file up to FileAlignment, moving the later ones. */
function alignSections(bytes: Uint8Array, pe: PeImage): Uint8Array {
  const raw = pe.sections.filter((section) => section.rawSize > 0);
  const headers = Uint8Array.from(bytes.subarray(0, raw[0]?.rawPointer ?? bytes.length));
  const view = new DataView(headers.buffer);
  const pieces: Uint8Array[] = [headers];
  let end = headers.length;
  const append = (piece: Uint8Array) => {
    pieces.push(piece);
    end += piece.length;
  };
  for (const [index, section] of pe.sections.entries()) {
    if (section.rawSize === 0) continue;
    append(new Uint8Array(roundUp(end, pe.fileAlignment) - end));
    const at = pe.sectionTableOffset + index * SECTION.size;
    view.setUint32(at + SECTION.pointerToRawData, end, true);
    view.setUint32(at + SECTION.sizeOfRawData, roundUp(section.rawSize, pe.fileAlignment), true);
    append(bytes.subarray(section.rawPointer, section.rawPointer + section.rawSize));
    append(new Uint8Array(roundUp(end, pe.fileAlignment) - end));
  }
  const last = raw.at(-1);
  append(bytes.subarray(last === undefined ? bytes.length : last.rawPointer + last.rawSize));
  return concatBytes(pieces);
}

function bad(message: string): BootsealError {
  return new BootsealError('uki/bad-stub', `the stub is malformed: ${message}`, {
    hint: 'use linux<arch>.efi.stub as systemd ships it',
  });
}
