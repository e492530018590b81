/** GUIDs as EFI stores them: the first three fields little-endian, the rest in order. */
import { BootsealError } from '../errors.ts';
import { encodeHex } from './hex.ts';

export const GUID_SIZE = 16;

/** `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, in either case, as 16 bytes. */
export function parseGuid(text: string): Uint8Array {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(text);
  if (match === null) {
    throw new BootsealError(
      'guid/malformed',
      'expected a GUID such as 8be4df61-93ca-11d2-aa0d-00e098032b8c',
      {
        exit: 2,
      },
    );
  }
  const [, a = '', b = '', c = '', d = '', e = ''] = match;
  const fields = [a, b, c].map((field) => Uint8Array.from(Buffer.from(field, 'hex')).toReversed());
  return Uint8Array.from(Buffer.concat([...fields, Buffer.from(d + e, 'hex')]));
}

/** Lower-case text of 16 bytes. */
export function formatGuid(bytes: Uint8Array): string {
  const field = (from: number, to: number) =>
    encodeHex(Uint8Array.from(bytes.subarray(from, to)).toReversed());
  return [
    field(0, 4),
    field(4, 6),
    field(6, 8),
    encodeHex(bytes.subarray(8, 10)),
    encodeHex(bytes.subarray(10, GUID_SIZE)),
  ].join('-');
}
