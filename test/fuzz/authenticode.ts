/** Signed files: the verdict is a value whatever is wrong with them, and damage is never accepted. */
import assert from 'node:assert/strict';
import { BootsealError } from '../../src/errors.ts';
import { verifyPe } from '../../src/formats/authenticode/verify.ts';
import { vectorCertificate, vectorFile } from '../support/uki-vectors.ts';
import type { FuzzTarget } from './harness.ts';

const anchors = ['code', 'root', 'rsa3072'].map(vectorCertificate);
const SEEDS = ['v-sb.efi', 'v-two.efi', 'v-chain.efi', 'v-made-no-attributes.efi'];
const hashes = new Set(SEEDS.map((name) => verifyPe(vectorFile(name), { anchors }).authenticodeSha256));

export const target: FuzzTarget = {
  name: 'authenticode',
  seeds: () => SEEDS.map(vectorFile),
  run(bytes) {
    const verdict = verifyPe(bytes, { anchors });
    if (verdict.accepted) {
      assert.ok(hashes.has(verdict.authenticodeSha256), 'a changed image was accepted');
      return;
    }
    const [reason] = verdict.reasons;
    assert.ok(reason !== undefined);
    throw new BootsealError(reason.code, reason.message);
  },
};
