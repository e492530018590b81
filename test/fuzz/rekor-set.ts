/** Rekor entries: the strict outside, the canonical form, and the body that a log wrote. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes } from '../../src/bytes/bytes.ts';
import { parseRekorEntry, parseRekorSet, REKOR_SET_ANNOTATION } from '../../src/formats/cosign/rekor-set.ts';
import { parseStoredSignature } from '../../src/formats/cosign/signature.ts';
import { canonicalJson } from '../../src/formats/strict-json/canonical.ts';
import { parseStrictJson } from '../../src/formats/strict-json/parser.ts';
import { vectorPath } from '../support/project.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'rekor-set',
  seeds() {
    const folder = vectorPath('policy', 'signatures');
    return readdirSync(folder)
      .filter((name) => name.startsWith('rekor-'))
      .flatMap((name) => {
        const signature = parseStoredSignature(readFileSync(join(folder, name)));
        const set =
          signature.kind === 'sigstore' ? signature.annotations.get(REKOR_SET_ANNOTATION) : undefined;
        return set === undefined ? [] : [Buffer.from(set)];
      });
  },
  run(bytes) {
    const { payload } = parseRekorSet(bytes);
    // The canonical form of what is canonical is itself, or a log and a reader would hash two texts.
    const again = canonicalJson(parseStrictJson(payload, { maxSize: payload.length }));
    assert(equalBytes(again, payload), 'not canonical');
    parseRekorEntry(payload);
  },
};
