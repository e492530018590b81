/** Bytes as lower-case hexadecimal text. */

import { BootsealError } from '../errors.ts';

/** Lower-case hexadecimal, two digits a byte. */
export function encodeHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** Strict: an even number of digits, nothing else. Upper case is accepted. */
export function decodeHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new BootsealError('hex/malformed', 'expected an even number of hexadecimal digits');
  }
  return Uint8Array.from(Buffer.from(text, 'hex'));
}
