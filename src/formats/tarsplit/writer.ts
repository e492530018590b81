/** tar-split written out: for tests that put a tar together again. */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import type { TarSplitEntry } from './reader.ts';

/** One line for each entry. The checksum of a file, which nobody who checks digests needs, is left empty. */
export function encodeTarSplit(entries: Iterable<TarSplitEntry>): Uint8Array {
  const lines = [...entries].map((entry, position) => {
    if (entry.kind === 'segment') {
      return { type: 2, payload: Buffer.from(entry.bytes).toString('base64'), position };
    }
    const raw = Buffer.from(entry.name, 'latin1');
    const text = raw.toString('utf8');
    const name = Buffer.from(text, 'utf8').equals(raw)
      ? { name: text }
      : { name_raw: raw.toString('base64') };
    return { type: 1, ...name, size: entry.size, payload: '', position };
  });
  return encodeUtf8(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}
