/** `.efifw` sections: firmware images that the stub offers by an identifier. Little-endian, as ukify writes them. */
import { concatBytes, encodeUtf8 } from '../bytes/bytes.ts';

const MAGIC = 0xfeed_dead;
const HEADER_SIZE = 16;

/** u32 magic, u32 header size, u32 length of the identifier with its NUL, u32 payload size; identifier; payload. */
export function encodeFirmware(identifier: string, payload: Uint8Array): Uint8Array {
  const name = encodeUtf8(`${identifier}\0`);
  const header = new Uint8Array(HEADER_SIZE);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, HEADER_SIZE, true);
  view.setUint32(8, name.length, true);
  view.setUint32(12, payload.length, true);
  return concatBytes([header, name, payload]);
}
