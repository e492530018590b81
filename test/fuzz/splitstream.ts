/** Split streams: sections, chunks and names of whatever is taken. Decompression is left to the decoder's own tests. */
import { isBootsealError } from '../../src/errors.ts';
import { parseChunks, parseNames, parseSections } from '../../src/formats/splitstream/reader.ts';
import { encodeSplitStream } from '../../src/formats/splitstream/writer.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'splitstream',
  seeds: () => [
    encodeSplitStream({
      algorithm: 'sha512',
      contentType: 'ociconfg',
      contentSize: 9,
      namedRefs: new Map([['sha256:00', '11'.repeat(64)]]),
      chunks: [{ kind: 'object', digest: '22'.repeat(64) }],
    }),
    encodeSplitStream({
      algorithm: 'sha256',
      contentType: 'ocilayer',
      contentSize: 40,
      namedRefs: new Map(),
      chunks: [
        { kind: 'inline', bytes: Buffer.from('header and padding') },
        { kind: 'object', digest: '33'.repeat(32) },
        { kind: 'inline', bytes: new Uint8Array(600) },
      ],
    }),
  ],
  run(bytes) {
    const { stream, namedRefs, streamRefs, objectRefs } = parseSections(bytes);
    // As if they were not compressed: what comes out of a hostile frame can be anything.
    tolerate(() => parseNames(namedRefs, streamRefs));
    tolerate(() => parseChunks(stream, objectRefs));
  },
};

function tolerate(parse: () => void): void {
  try {
    parse();
  } catch (error) {
    if (!isBootsealError(error)) throw error;
  }
}
