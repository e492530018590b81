import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { verifyAs, type Verifier } from '../../../src/formats/authenticode/verify-as.ts';
import { verifyPe } from '../../../src/formats/authenticode/verify.ts';
import { normaliseLengths } from '../../../src/formats/der/normalise.ts';
import {
  materialiseInput,
  readCases,
  vectorCertificate,
  vectorFile,
  type VerifyCase,
} from '../../support/uki-vectors.ts';

const cases = readCases<VerifyCase>('verify').flatMap(({ name, input, verdicts }) =>
  Object.entries(verdicts)
    // Several certificates, which have no file of their own here.
    .filter(([anchor]) => anchor !== 'chain')
    .map(([anchor, tools]) => ({ name, input, anchor, tools })),
);
const AT = new Date('2026-01-01T00:00:00Z');

describe('the verdicts of other verifiers', () => {
  for (const tool of ['sbverify', 'osslsigncode'] as const) {
    it(`are those of ${tool}, on every vector`, () => {
      for (const { name, input, anchor, tools } of cases) {
        const verdict = verifyAs(tool, materialiseInput(input), {
          anchors: [vectorCertificate(anchor)],
          at: AT,
        });
        const reasons = verdict.reasons.map(({ code }) => code).join(' ');
        assert.equal(verdict.accepted, tools[tool]?.exit === 0, `${name} with ${anchor}: ${reasons}`);
        assert.equal(verdict.accepted, verdict.reasons.length === 0);
      }
    });
  }

  it('never refuse for firmware what we accept', () => {
    let accepted = 0;
    for (const { name, input, anchor } of cases) {
      const options = { anchors: [vectorCertificate(anchor)], at: AT };
      if (!verifyPe(materialiseInput(input), options).accepted) continue;
      assert.ok(verifyAs('firmware', materialiseInput(input), options).accepted, name);
      accepted += 1;
    }
    assert.ok(accepted > 30);
  });

  it('know what was measured of OVMF', () => {
    const firmware = (file: string, anchor: string) =>
      verifyAs('firmware', vectorFile(`out/sign/${file}.efi`), {
        anchors: [vectorCertificate(anchor)],
        at: AT,
      }).accepted;
    assert.equal(firmware('digest-sha1-osslsigncode', 'rsa2048'), true);
    assert.equal(firmware('digest-sha384-pesign', 'rsa2048'), true);
    assert.equal(firmware('twice-sbsign-sbsign', 'rsa3072'), true);
    assert.equal(firmware('key-ec-osslsigncode', 'ec'), false);
    const plain = vectorFile('out/sign/key-rsa3072-sbsign.efi');
    const options = { anchors: [vectorCertificate('rsa3072')] };
    assert.equal(verifyAs('firmware', plain, options).accepted, true);
    assert.equal(verifyAs('firmware', Buffer.concat([plain, new Uint8Array(16)]), options).accepted, false);
    assert.equal(verifyAs('firmware', vectorFile('s-uki.efi'), options).accepted, false);
  });

  it('differ where the programs do', () => {
    const tools: readonly Verifier[] = ['firmware', 'sbverify', 'osslsigncode'];
    const verdicts = (file: string, anchor: string) =>
      tools.map(
        (tool) => verifyAs(tool, vectorFile(file), { anchors: [vectorCertificate(anchor)], at: AT }).accepted,
      );
    assert.deepEqual(verdicts('v-nest.efi', 'rsa3072'), [false, false, true]);
    assert.deepEqual(verdicts('v-leafonly.efi', 'leaf'), [true, true, false]);
    assert.deepEqual(verdicts('out/sign/key-future-osslsigncode.efi', 'future'), [true, true, false]);
    assert.deepEqual(verdicts('out/sign/key-ec-osslsigncode.efi', 'ec'), [false, true, true]);
  });

  it('come to an end on any damaged file', () => {
    const signed = vectorFile('v-two.efi');
    const options = { anchors: [vectorCertificate('code')], at: AT };
    fc.assert(
      fc.property(fc.nat(signed.length - 1), fc.nat(255), fc.nat(signed.length), (offset, value, length) => {
        const bytes = Uint8Array.from(signed.subarray(0, Math.max(length, offset + 1)));
        bytes[offset] = value;
        for (const tool of ['firmware', 'sbverify', 'osslsigncode'] as const) {
          const verdict = verifyAs(tool, bytes, options);
          assert.equal(verdict.accepted, verdict.reasons.length === 0);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('normaliseLengths', () => {
  it('shortens lengths at every level, and leaves DER as it is', () => {
    const nested = Buffer.from('30820006048300000141', 'hex');
    assert.equal(Buffer.from(normaliseLengths(nested)).toString('hex'), '3003040141');
    const der = vectorCertificate('leaf');
    assert.deepEqual(Buffer.from(normaliseLengths(der)), Buffer.from(der));
    assert.throws(() => normaliseLengths(Buffer.from('30800000', 'hex')), { code: 'der/truncated' });
  });
});
