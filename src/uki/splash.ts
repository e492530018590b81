/**
 * Splash images are decoded by the stub before anything is measured or verified: a BMP with a palette or a size that
 * does not fit has overflowed such decoders (CVE-2018-12181). Checked before it is embedded.
 */
import { Cursor } from '../bytes/cursor.ts';
import { BootsealError } from '../errors.ts';

/** BITMAPFILEHEADER and BITMAPINFOHEADER; larger headers of later versions start the same way. */
const FILE_HEADER_SIZE = 14;
const INFO_HEADER_SIZE = 40;
/** No screen is wider, and the product stays far below 2^53. */
const MAX_SIDE = 32_768;
const BI_RGB = 0;
const BI_BITFIELDS = 3;

/** The bytes as they came, or `uki/bad-splash` with the offset. */
export function checkSplash(bytes: Uint8Array): Uint8Array {
  const cursor = new Cursor(bytes, 'uki/bad-splash');
  if (cursor.u16() !== 0x4d42) throw bad('not a BMP image', 0);
  if (cursor.u32() > bytes.length) throw bad('the file is shorter than its header says', 2);
  cursor.skip(4);
  const pixelOffset = cursor.u32();
  const headerSize = cursor.u32();
  const width = cursor.u32() | 0;
  const height = Math.abs(cursor.u32() | 0);
  const planes = cursor.u16();
  const depth = cursor.u16();
  const compression = cursor.u32();
  cursor.skip(12);
  const colours = cursor.u32();
  if (
    headerSize < INFO_HEADER_SIZE ||
    pixelOffset < FILE_HEADER_SIZE + headerSize ||
    pixelOffset > bytes.length
  ) {
    throw bad('the headers and the pixels overlap', 10);
  }
  if (width <= 0 || width > MAX_SIDE || height === 0 || height > MAX_SIDE || planes !== 1) {
    throw bad('impossible dimensions', 18);
  }
  if (![1, 4, 8, 16, 24, 32].includes(depth) || (compression !== BI_RGB && compression !== BI_BITFIELDS)) {
    throw bad('a depth or a compression that stubs cannot decode', 28);
  }
  const palette = depth > 8 ? colours : colours === 0 ? 2 ** depth : colours;
  if ((depth <= 8 && palette > 2 ** depth) || palette * 4 > pixelOffset - FILE_HEADER_SIZE - headerSize) {
    throw bad('the palette does not fit', 46);
  }
  const stride = Math.ceil((width * depth) / 32) * 4;
  if (stride * height > bytes.length - pixelOffset) throw bad('pixels are missing', pixelOffset);
  return bytes;
}

function bad(message: string, offset: number): BootsealError {
  return new BootsealError('uki/bad-splash', `splash image: ${message}`, { offset });
}
