/**
 * Layout of PE/COFF images as UEFI loads them (PE Format, Microsoft; UEFI specification section 2.1.1).
 * Everything is little-endian. Offsets are in bytes from the start of the structure named.
 */

/** MS-DOS header: only the magic `MZ` and the offset of the PE header count. */
export const DOS_HEADER_SIZE = 0x40;
export const DOS_PE_OFFSET = 0x3c;

/** `PE\0\0` and the COFF file header of 20 bytes behind it. */
export const PE_SIGNATURE = 0x0000_4550;
export const COFF_OFFSET = 4;
export const COFF = {
  machine: 0,
  numberOfSections: 2,
  timeDateStamp: 4,
  pointerToSymbolTable: 8,
  numberOfSymbols: 12,
  sizeOfOptionalHeader: 16,
  characteristics: 18,
  size: 20,
} as const;
export const COFF_LOCAL_SYMBOLS_STRIPPED = 0x0008;
export const COFF_SYMBOL_SIZE = 18;

/** Optional header; these fields lie at the same offset in PE32 and PE32+. */
export const OPTIONAL = {
  magic: 0,
  sizeOfInitializedData: 8,
  addressOfEntryPoint: 16,
  sectionAlignment: 32,
  fileAlignment: 36,
  sizeOfImage: 56,
  sizeOfHeaders: 60,
  checkSum: 64,
  subsystem: 68,
  dllCharacteristics: 70,
} as const;
export const MAGIC_PE32 = 0x10b;
export const MAGIC_PE32_PLUS = 0x20b;
/** Offset of NumberOfRvaAndSizes, which the data directories follow. */
export const DIRECTORY_COUNT_OFFSET = { [MAGIC_PE32]: 92, [MAGIC_PE32_PLUS]: 108 } as const;
export const DIRECTORY_ENTRY_SIZE = 8;
export const MAX_DIRECTORIES = 16;
/** Index of the certificate table: its "address" is an offset in the file. */
export const SECURITY_DIRECTORY = 4;

export const DLL_NX_COMPAT = 0x0100;

export const SECTION = {
  name: 0,
  virtualSize: 8,
  virtualAddress: 12,
  sizeOfRawData: 16,
  pointerToRawData: 20,
  characteristics: 36,
  size: 40,
} as const;
export const SECTION_NAME_SIZE = 8;
export const SECTION_CODE_READ = 0x4000_0020;
export const SECTION_DATA_READ = 0x4000_0040;

/** The machine types that UEFI knows, with the names that boot loader files carry. */
export const MACHINES = {
  ia32: 0x014c,
  x64: 0x8664,
  arm: 0x01c2,
  aa64: 0xaa64,
  riscv64: 0x5064,
  loongarch64: 0x6264,
} as const;
export type EfiArchitecture = keyof typeof MACHINES;

/** WIN_CERTIFICATE: dwLength, wRevision, wCertificateType, then the certificate; entries are padded to 8. */
export const WIN_CERTIFICATE = { length: 0, revision: 4, type: 6, headerSize: 8 } as const;
export const WIN_CERT_REVISION_2 = 0x0200;
export const WIN_CERT_TYPE_PKCS_SIGNED_DATA = 0x0002;
export const CERTIFICATE_ALIGNMENT = 8;

export function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
