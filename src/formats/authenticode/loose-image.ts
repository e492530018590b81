/**
 * PE files as other verifiers read them: headers without questions, and the image hash either by walking the sections
 * (sbverify, pesign, firmware) or over the flat file (osslsigncode). For their verdicts only: what they hash where a
 * file has gaps is what they disagree about.
 */
import { createHash } from 'node:crypto';
import { BootsealError } from '../../errors.ts';
import {
  COFF,
  COFF_OFFSET,
  DIRECTORY_COUNT_OFFSET,
  DIRECTORY_ENTRY_SIZE,
  DOS_HEADER_SIZE,
  DOS_PE_OFFSET,
  MAGIC_PE32,
  MAGIC_PE32_PLUS,
  OPTIONAL,
  PE_SIGNATURE,
  SECTION,
  SECURITY_DIRECTORY,
} from '../pe/format.ts';
import type { ImageHash } from './digest.ts';

export interface LooseImage {
  readonly bytes: Uint8Array;
  readonly checkSumOffset: number;
  readonly securityEntryOffset: number;
  readonly sizeOfHeaders: number;
  /** Raw data in file order, without empty ones. */
  readonly sections: readonly { readonly pointer: number; readonly size: number }[];
  readonly table: { readonly offset: number; readonly size: number };
}

/** Only what must be there to find the hash and the table. Throws `authenticode/unreadable`. */
export function readLooseImage(bytes: Uint8Array): LooseImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const need = (end: number) => {
    if (end > bytes.length) throw unreadable('the headers are cut off');
  };
  need(DOS_HEADER_SIZE);
  const peOffset = view.getUint32(DOS_PE_OFFSET, true);
  const coff = peOffset + COFF_OFFSET;
  const optional = coff + COFF.size;
  need(optional + 2);
  if (view.getUint16(0, true) !== 0x5a4d || view.getUint32(peOffset, true) !== PE_SIGNATURE) {
    throw unreadable('not a PE file');
  }
  const magic = view.getUint16(optional, true);
  if (magic !== MAGIC_PE32 && magic !== MAGIC_PE32_PLUS) throw unreadable('an unknown optional header');
  const directories = optional + DIRECTORY_COUNT_OFFSET[magic] + 4;
  const securityEntryOffset = directories + SECURITY_DIRECTORY * DIRECTORY_ENTRY_SIZE;
  need(securityEntryOffset + DIRECTORY_ENTRY_SIZE);
  if (view.getUint32(directories - 4, true) <= SECURITY_DIRECTORY) throw unreadable('no security directory');
  const count = view.getUint16(coff + COFF.numberOfSections, true);
  const headers = optional + view.getUint16(coff + COFF.sizeOfOptionalHeader, true);
  need(headers + count * SECTION.size);
  const sections = Array.from({ length: count }, (_, index) => {
    const at = headers + index * SECTION.size;
    return {
      pointer: view.getUint32(at + SECTION.pointerToRawData, true),
      size: view.getUint32(at + SECTION.sizeOfRawData, true),
    };
  });
  return {
    bytes,
    checkSumOffset: optional + OPTIONAL.checkSum,
    securityEntryOffset,
    sizeOfHeaders: view.getUint32(optional + OPTIONAL.sizeOfHeaders, true),
    sections: sections.filter(({ size }) => size > 0).toSorted((a, b) => a.pointer - b.pointer),
    table: {
      offset: view.getUint32(securityEntryOffset, true),
      size: view.getUint32(securityEntryOffset + 4, true),
    },
  };
}

/** Headers, then the sections where they lie, then what follows as many bytes from the start as were hashed. */
export function hashSections(image: LooseImage, algorithm: ImageHash): Uint8Array {
  const { bytes, sizeOfHeaders, sections, table } = image;
  const hash = createHash(algorithm);
  const end = bytes.length - table.size;
  if (sizeOfHeaders > bytes.length || sizeOfHeaders < image.securityEntryOffset + 8) {
    throw unreadable('SizeOfHeaders exceeds the file');
  }
  hash.update(bytes.subarray(0, image.checkSumOffset));
  hash.update(bytes.subarray(image.checkSumOffset + 4, image.securityEntryOffset));
  hash.update(bytes.subarray(image.securityEntryOffset + 8, sizeOfHeaders));
  let hashed = sizeOfHeaders;
  let last = sizeOfHeaders;
  for (const { pointer, size } of sections) {
    if (pointer + size > bytes.length) throw unreadable('a section reaches beyond the end');
    hash.update(bytes.subarray(pointer, pointer + size));
    hashed += size;
    last = pointer + size;
  }
  if (hashed < end) {
    hash.update(bytes.subarray(hashed, end));
    last = end;
  }
  hash.update(new Uint8Array((8 - (last % 8)) % 8));
  return hash.digest();
}

/** Everything from front to back but for the two holes, up to the table. */
export function hashFlat(image: LooseImage, algorithm: ImageHash): Uint8Array {
  const { bytes, table } = image;
  const hash = createHash(algorithm);
  const end = table.offset === 0 ? bytes.length : table.offset;
  if (end < image.securityEntryOffset + 8) throw unreadable('the table overlaps the headers');
  hash.update(bytes.subarray(0, image.checkSumOffset));
  hash.update(bytes.subarray(image.checkSumOffset + 4, image.securityEntryOffset));
  hash.update(bytes.subarray(image.securityEntryOffset + 8, end));
  hash.update(new Uint8Array((8 - (end % 8)) % 8));
  return hash.digest();
}

export function unreadable(message: string): BootsealError {
  return new BootsealError('authenticode/unreadable', message);
}
