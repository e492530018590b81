/** Tables of contents, and the annotations and footers that say where they are. */
import { concatBytes, decodeLatin1 } from '../../src/bytes/bytes.ts';
import { ANNOTATIONS } from '../../src/formats/zstd-chunked/format.ts';
import {
  checkFooter,
  parseChunkedAnnotations,
  parseChunkedFooter,
} from '../../src/formats/zstd-chunked/reader.ts';
import { parseTable } from '../../src/formats/zstd-chunked/table.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import type { FuzzTarget } from './harness.ts';

const SIZE = 2 ** 32;

const text = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** A first byte of 0 or 1 says what the rest is, any other begins a table. */
export const target: FuzzTarget = {
  name: 'zstd-chunked',
  seeds: () => [
    text({ version: 1, entries: null }),
    text({
      version: 1,
      entries: [
        { type: 'dir', name: './', mode: 493, modtime: '2023-11-14T22:13:21.25Z' },
        { type: 'reg', name: 'a', size: 9, digest: digestOf(Uint8Array.of(1)), xattrs: { 'user.a': 'MQ==' } },
        { type: 'chunk', name: 'a', chunkOffset: 5, chunkType: 'zeros' },
        { type: 'char', name: '{"\\', devMajor: 1, devMinor: 3 },
        { type: 'hardlink', name: 'b', linkName: 'a', more: [[{}]] },
      ],
      tarSplitDigest: digestOf(Uint8Array.of(2)),
    }),
    Buffer.from('\x002499:842:2786:1'),
    concatBytes([
      Uint8Array.of(1, 0x50, 0x2a, 0x4d, 0x18, 64, 0, 0, 0),
      new Uint8Array(56),
      Buffer.from('GNUlInUx'),
    ]),
  ],
  run(bytes) {
    const rest = bytes.subarray(1);
    if (bytes[0] === 0) {
      const value = decodeLatin1(rest);
      const annotations = {
        [ANNOTATIONS.checksum]: digestOf(rest),
        [ANNOTATIONS.position]: value,
        [ANNOTATIONS.tarSplitPosition]: '4294960000:100:1',
      };
      const { table } = parseChunkedAnnotations(annotations, SIZE)!;
      if (table.offset + table.length > SIZE) throw new RangeError('a table outside of its blob');
      if (`${table.offset}:${table.length}:${table.decodedLength}:1` !== value)
        throw new Error('other numbers');
    } else if (bytes[0] === 1) {
      const footer = parseChunkedFooter(rest);
      if (footer !== undefined) checkFooter(footer, { checksum: digestOf(rest), table: footer.table });
    } else {
      // What is taken says the same to a reader of plain JSON.
      const read = [...parseTable(bytes).entries()];
      const { entries } = JSON.parse(Buffer.from(bytes).toString()) as { entries: { type: string }[] | null };
      const files = (entries ?? []).filter(({ type }) => type !== 'chunk');
      if (files.length !== read.length) throw new Error(`${read.length} entries of ${files.length}`);
    }
  },
};
