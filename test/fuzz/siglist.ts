/** EFI signature lists: what is taken must come out byte for byte. */
import assert from 'node:assert/strict';
import { encodeSignatureLists, parseSignatureLists } from '../../src/formats/siglist/signature-list.ts';
import { vectorFile } from '../support/uki-vectors.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'siglist',
  seeds: () =>
    ['hash-plain.out.esl', 'sign-mixed-lists.in.esl', 'certhash-256.out.esl'].map((name) =>
      vectorFile(`out/siglist/${name}`),
    ),
  run(bytes) {
    const again = encodeSignatureLists(parseSignatureLists(bytes));
    assert.deepEqual(Buffer.from(again), Buffer.from(bytes));
  },
};
