/** Layout of a zstd frame, RFC 8878 section 3. All integers are little-endian. */

export const ZSTD_MAGIC = 0xfd2fb528;
/** Sixteen magics, 0x184d2a50 to 0x184d2a5f, mark frames that a decoder skips. */
export const SKIPPABLE_MAGIC = 0x184d2a50;
export const SKIPPABLE_MASK = 0xfffffff0;

/** Frame header descriptor, the byte after the magic. */
export const DESCRIPTOR = {
  contentSizeFlag: (byte: number): number => byte >> 6,
  singleSegment: (byte: number): boolean => (byte & 0x20) !== 0,
  reserved: (byte: number): boolean => (byte & 0x08) !== 0,
  checksum: (byte: number): boolean => (byte & 0x04) !== 0,
  dictionaryFlag: (byte: number): number => byte & 0x03,
} as const;

/** Bytes of the dictionary id field, by its flag. */
export const DICTIONARY_ID_BYTES: readonly number[] = [0, 1, 2, 4];

/** Bytes of the content size field, by its flag; with flag 0 there is one byte in a single segment, else none. */
export const CONTENT_SIZE_BYTES: readonly number[] = [0, 2, 4, 8];

export const BLOCK_TYPE = { raw: 0, rle: 1, compressed: 2, reserved: 3 } as const;

/** No block decodes to more, whatever the window. */
export const MAX_BLOCK = 128 * 1024;

/**
 * A decoder keeps a window of this many bytes. 128 MiB is what the zstd program and library take without being
 * asked for more; a frame can claim terabytes.
 */
export const MAX_WINDOW: number = 128 * 1024 * 1024;
