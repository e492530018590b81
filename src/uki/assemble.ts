/**
 * Puts a UKI together: a stub, and the kernel, initrd and the rest as PE sections behind it. Byte-identical to
 * ukify 262. Nothing is taken from the machine that builds, and nothing large is copied.
 */
import { concatBytes, encodeUtf8 } from '../bytes/bytes.ts';
import { partsLength, type Parts } from '../bytes/rope.ts';
import { BootsealError, isBootsealError } from '../errors.ts';
import {
  COFF,
  DLL_NX_COMPAT,
  OPTIONAL,
  roundUp,
  SECTION,
  SECTION_CODE_READ,
  SECTION_DATA_READ,
} from '../formats/pe/format.ts';
import { readPe, type PeImage, type PeSection } from '../formats/pe/reader.ts';
import { DEFAULT_PROFILE } from './profiles.ts';
import { DEFAULT_ADDON_SBAT, DEFAULT_UKI_SBAT, mergeSbat, sbatOf } from './sbat.ts';
import { orderSections, type UkiSection, type UkiSections } from './sections.ts';
import { prepareStub, type Stub } from './stub.ts';

export type { UkiSections } from './sections.ts';

export interface UkiRequest {
  /** `linux<arch>.efi.stub`; for an addon or a profile `addon<arch>.efi.stub`. */
  readonly stub: Uint8Array;
  readonly sections: UkiSections;
  /** Sections of further profiles, each starting with `.profile`. */
  readonly profiles?: readonly (readonly UkiSection[])[];
  /** Told what was left out without being an error. */
  readonly warn?: (message: string) => void;
}

/** The UKI as pieces. Errors are `uki/…` and `pe/…`. */
export function assembleUki(request: UkiRequest): Parts {
  const stub = prepareStub(request.stub);
  const rawEnd = Math.max(...stub.pe.sections.map((section) => section.rawPointer + section.rawSize));
  if (rawEnd !== stub.bytes.length) {
    request.warn?.(
      'data follows the last section of the stub: the UKI will have a gap, and cannot be signed',
    );
  }
  const { linux, profile } = request.sections;
  const kernel = linux === undefined ? undefined : readKernelHeaders(linux);
  const before = orderSections(request.sections);
  if (before.length === 0) {
    throw new BootsealError('uki/empty', 'there is nothing to put behind the stub', {
      hint: 'give --linux for a UKI, or --cmdline and the like for an addon',
      exit: 2,
    });
  }
  const joining = (request.profiles ?? []).length > 0;
  const ownProfile = profile ?? (joining ? encodeUtf8(DEFAULT_PROFILE) : undefined);
  const profileSection = ownProfile === undefined ? [] : [{ name: '.profile', data: [ownProfile] }];
  const list =
    profile !== undefined && !joining
      ? // A file that is to be joined as a profile: it starts with .profile and has no SBAT of its own.
        [...profileSection, ...before]
      : [
          ...before,
          { name: '.sbat', data: [sbatSection(stub, request, kernel)] },
          ...(joining ? profileSection : []),
          ...(request.profiles ?? []).flat(),
        ];
  return appendSections(stub, list, kernel);
}

function sbatSection(stub: Stub, request: UkiRequest, kernel: PeImage | undefined): Uint8Array {
  const { linux, sbat } = request.sections;
  const texts: { name: string; text: string }[] = [];
  if (linux !== undefined) {
    const ofStub = sbatOf(stub.pe, stub.bytes);
    if (ofStub !== undefined) texts.push({ name: 'of the stub', text: ofStub });
    const ofKernel = kernel === undefined ? undefined : sbatOf(kernel, linux);
    if (ofKernel !== undefined) texts.push({ name: 'of the kernel', text: ofKernel });
  }
  const own = sbat ?? [linux === undefined ? DEFAULT_ADDON_SBAT : DEFAULT_UKI_SBAT];
  const merge = (given: readonly string[]) => {
    const all = [...texts, ...given.map((text) => ({ name: 'given', text }))];
    return mergeSbat(
      all.map(({ text }) => text),
      (index) => request.warn?.(`the SBAT ${all[index].name} does not start with "sbat," and is left out`),
    );
  };
  const merged = merge(own);
  if (sbat !== undefined || merged.length <= memoryRoom(stub.pe, '.sbat')) return merged;
  // ukify writes our line all the same, over the section that follows in memory.
  request.warn?.('the stub has no room for the SBAT line of a UKI: its own lines only');
  return merge([]);
}

/** Bytes from where a section is loaded to the next one. */
function memoryRoom(pe: PeImage, name: string): number {
  const start = pe.sections.find((section) => section.name === name)?.virtualAddress;
  if (start === undefined) return Number.POSITIVE_INFINITY;
  const next = pe.sections.map(({ virtualAddress }) => virtualAddress).filter((address) => address > start);
  return Math.min(...next) - start;
}

/** Headers of the kernel when it is a PE file; other kernels have no `.sbat` and no flags to heed. */
function readKernelHeaders(linux: Uint8Array): PeImage | undefined {
  try {
    return readPe(linux);
  } catch (error) {
    if (isBootsealError(error)) return undefined;
    throw error;
  }
}

/** Lays the sections out behind the stub and writes their headers. */
function appendSections(stub: Stub, sections: readonly UkiSection[], kernel: PeImage | undefined): Parts {
  const { pe, bytes } = stub;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const pieces: Uint8Array[] = [bytes];
  const own: readonly PeSection[] = pe.sections;
  const optional = (offset: number) => pe.optionalOffset + offset;
  let count = own.length;
  let { virtualAddress, virtualSize } = own.at(-1)!;
  let fileSize = bytes.length;
  let initialised = view.getUint32(optional(OPTIONAL.sizeOfInitializedData), true);

  for (const { name, data } of sections) {
    const size = partsLength(data);
    const header = pe.sectionTableOffset + count * SECTION.size;
    // 1. ukify demands room for a header even where it will not need one.
    if (header + SECTION.size > pe.sizeOfHeaders) {
      throw new BootsealError('uki/no-header-room', `no room in the stub for the header of section ${name}`, {
        hint: 'leave sections out, or use a stub of systemd 258 or later, which reserves more',
      });
    }
    // 2. What the stub has already is overwritten in place.
    const existing = name === '.dtbauto' ? -1 : own.findIndex((section) => section.name === name);
    if (existing >= 0) {
      overwriteSection(stub, existing, concatBytes(data));
      continue;
    }
    // 3. Otherwise the data goes to the end of the file, and in memory behind the last section.
    const rawPointer = roundUp(fileSize, pe.fileAlignment);
    const rawSize = roundUp(size, pe.fileAlignment);
    virtualAddress = roundUp(virtualAddress + virtualSize, pe.sectionAlignment);
    virtualSize = size;
    if (rawPointer + rawSize > 0xffff_ffff || virtualAddress + size > 0xffff_ffff) {
      throw new BootsealError('uki/too-large', 'the UKI exceeds 4 GiB');
    }
    bytes.fill(0, header, header + SECTION.size);
    bytes.set(Buffer.from(name, 'latin1'), header);
    view.setUint32(header + SECTION.virtualSize, size, true);
    view.setUint32(header + SECTION.virtualAddress, virtualAddress, true);
    view.setUint32(header + SECTION.sizeOfRawData, rawSize, true);
    view.setUint32(header + SECTION.pointerToRawData, rawPointer, true);
    // Old kernels are entered inside the UKI, so .linux counts as code.
    const characteristics = name === '.linux' ? SECTION_CODE_READ : SECTION_DATA_READ;
    view.setUint32(header + SECTION.characteristics, characteristics, true);
    pieces.push(new Uint8Array(rawPointer - fileSize), ...data, new Uint8Array(rawSize - size));
    fileSize = rawPointer + rawSize;
    initialised += size;
    count += 1;
  }

  // 4. The headers that sum it up.
  view.setUint16(pe.coffOffset + COFF.numberOfSections, count, true);
  view.setUint32(optional(OPTIONAL.sizeOfInitializedData), initialised, true);
  view.setUint32(optional(OPTIONAL.checkSum), 0, true);
  const sizeOfImage = roundUp(virtualAddress + virtualSize, pe.sectionAlignment);
  view.setUint32(optional(OPTIONAL.sizeOfImage), sizeOfImage, true);
  // 5. A UKI must not claim NX compatibility for a kernel that lacks it.
  if (kernel !== undefined && (kernel.dllCharacteristics & DLL_NX_COMPAT) === 0) {
    view.setUint16(optional(OPTIONAL.dllCharacteristics), pe.dllCharacteristics & ~DLL_NX_COMPAT, true);
  }
  return pieces.filter((piece) => piece.length > 0);
}

function overwriteSection({ pe, bytes }: Stub, index: number, data: Uint8Array): void {
  const section = pe.sections[index];
  if (data.length > section.rawSize) {
    throw new BootsealError(
      'uki/no-section-room',
      `section ${section.name} of the stub has ${section.rawSize} bytes, ${data.length} are needed`,
    );
  }
  bytes.fill(0, section.rawPointer, section.rawPointer + section.rawSize);
  bytes.set(data, section.rawPointer);
  const header = pe.sectionTableOffset + index * SECTION.size;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(header + SECTION.virtualSize, data.length, true);
}
