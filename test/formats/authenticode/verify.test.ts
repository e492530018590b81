import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gatherParts } from '../../../src/bytes/rope.ts';
import { signPe } from '../../../src/formats/authenticode/sign.ts';
import { verifyPe } from '../../../src/formats/authenticode/verify.ts';
import { OID } from '../../../src/formats/der/oid.ts';
import * as der from '../../../src/formats/der/writer.ts';
import { SECURITY_DIRECTORY } from '../../../src/formats/pe/format.ts';
import { readPe } from '../../../src/formats/pe/reader.ts';
import { encodeSignedData } from '../../../src/formats/pkcs7/signed-data.ts';
import { parseCertificate } from '../../../src/formats/x509/certificate.ts';
import { encodeTableEntry } from '../../../src/formats/authenticode/table.ts';
import { testSigner } from '../../support/signer.ts';
import {
  materialiseInput,
  readCases,
  vectorCertificate,
  vectorFile,
  type VerifyCase,
} from '../../support/uki-vectors.ts';

/** Changes outside of what is signed, which no verifier and no firmware minds. */
const HARMLESS = new Set(['tamper-checksum', 'tamper-checksum-zero']);
/** Where we refuse what sbverify takes: see the reason. */
const STRICTER: Readonly<Record<string, string>> = {
  'by-bss-sbsign': 'pe/gap',
  'by-bss-systemd-sbsign': 'pe/gap',
  'by-soh-small-sbsign': 'pe/gap',
  'by-soh-small-pesign': 'pe/gap',
  'by-bad-gap-sbsign': 'pe/gap',
  'by-bad-rp-unaligned-sbsign': 'pe/gap',
  'by-bad-rp-unaligned-pesign': 'pe/gap',
  'by-bad-rp-unaligned-systemd-sbsign': 'pe/gap',
  'by-bad-nsec0-osslsigncode': 'pe/bad-section-count',
  'tamper-trailing-in-size-junk': 'authenticode/bad-table',
  'tamper-pad-byte': 'authenticode/bad-padding',
  'made-no-ct': 'authenticode/bad-attributes',
  'made-dup-md': 'authenticode/bad-attributes',
  'made-octet-string': 'der/wrong-tag',
  'made-long-length': 'der/bad-length',
};
/** Where firmware takes what sbverify refuses. */
const WIDER: Readonly<Record<string, string>> = {
  'made-sha384': 'an image hash other than SHA-256',
  'by-again-trailing-pesign': 'a second signature behind one for another file',
};

describe('verdicts over the verify vectors', () => {
  for (const entry of readCases<VerifyCase>('verify')) {
    for (const [anchor, tools] of Object.entries(entry.verdicts)) {
      // Several certificates; osslsigncode's alone.
      if (anchor === 'chain') continue;
      it(`${entry.name} with ${anchor} trusted`, () => {
        const verdict = verifyPe(materialiseInput(entry.input), { anchors: [vectorCertificate(anchor)] });
        const stricter = STRICTER[entry.name];
        if (stricter !== undefined) {
          assert.equal(verdict.accepted, false);
          assert.equal(verdict.reasons[0]?.code, stricter);
        } else if (entry.name in WIDER) {
          assert.equal(verdict.accepted, true);
        } else {
          assert.equal(verdict.accepted, tools['sbverify']?.exit === 0, JSON.stringify(verdict.reasons));
        }
        if (entry.name.startsWith('tamper-') && !HARMLESS.has(entry.name))
          assert.equal(verdict.accepted, false);
        assert.equal(verdict.accepted, verdict.reasons.length === 0);
      });
    }
  }
});

describe('attacks on boot signatures', () => {
  const key = testSigner('code');
  const anchors = key.certificates;
  const uki = vectorFile('s-uki.efi');
  const sign = async (bytes: Uint8Array) => gatherParts(await signPe([bytes], key));
  const codes = (bytes: Uint8Array) => verifyPe(bytes, { anchors }).reasons.map(({ code }) => code);

  it('pe-transplant: a signature pasted onto another file', async () => {
    const signed = await sign(uki);
    const other = Uint8Array.from(signed);
    // The command line, which the firmware hands to the kernel.
    const cmdline = readPe(signed).sections.find(({ name }) => name === '.cmdline')!;
    other.set(Buffer.from('init=/sh'), cmdline.rawPointer);
    assert.deepEqual(codes(other), ['authenticode/hash-mismatch']);
    assert.ok(verifyPe(signed, { anchors }).accepted);
  });

  it('pe-truncated: every prefix of a signed file', async () => {
    const signed = await sign(uki);
    for (let length = 0; length < signed.length; length += 1) {
      const verdict = verifyPe(signed.subarray(0, length), { anchors });
      assert.equal(verdict.accepted, false, `${length} bytes`);
      assert.match(verdict.reasons[0].code, /^(pe|authenticode|der)\//);
    }
  });

  it('pe-table: lengths that lie', async () => {
    const signed = await sign(uki);
    const pe = readPe(signed);
    const entry = pe.certificateTable.offset;
    const sizeField = pe.securityEntryOffset! + 4;
    for (const value of [0, 1, 7, 8, 0xffff_fff8, 0xffff_ffff, signed.length]) {
      for (const offset of [entry, sizeField, sizeField - 4]) {
        const bytes = Uint8Array.from(signed);
        new DataView(bytes.buffer).setUint32(offset, value, true);
        assert.equal(verifyPe(bytes, { anchors }).accepted, false, `${value} at ${offset}`);
      }
    }
    assert.deepEqual(codes(Buffer.concat([signed, new Uint8Array(16)])), ['authenticode/trailing-data']);
  });

  it('pe-short-header: fewer than five directories means unsigned, not a crash', () => {
    const bytes = Uint8Array.from(uki);
    const pe = readPe(bytes);
    const count = pe.securityEntryOffset! - SECURITY_DIRECTORY * 8 - 4;
    for (const directories of [0, 1, 4]) {
      new DataView(bytes.buffer).setUint32(count, directories, true);
      assert.deepEqual(codes(bytes), ['authenticode/unsigned']);
    }
  });

  it('pe-digest-len: digests of any other length', async () => {
    for (const length of [0, 1, 31, 33, 64, 200]) {
      const content = der.sequence(
        der.sequence(der.oid(OID.spcPeImageData), der.sequence()),
        der.sequence(der.algorithm(OID.sha256), der.octetString(new Uint8Array(length))),
      );
      assert.ok(codes(await withContent(content)).includes('authenticode/hash-mismatch'), String(length));
    }
  });

  it('pe-page-hash: what stands in SpcPeImageData changes nothing', async () => {
    const digest = Buffer.from(verifyPe(uki, { anchors: [] }).authenticodeSha256!, 'hex');
    const content = (value: Uint8Array) =>
      der.sequence(
        der.sequence(der.oid(OID.spcPeImageData), value),
        der.sequence(der.algorithm(OID.sha256), der.octetString(digest)),
      );
    for (const value of [
      der.sequence(),
      der.octetString(new Uint8Array(5000).fill(0xff)),
      der.sequence(
        der.bitString(new Uint8Array(0)),
        der.context(0, der.octetString(Buffer.from('ffff', 'hex'))),
      ),
    ]) {
      assert.deepEqual(codes(await withContent(content(value))), []);
    }
  });

  it('pe-key-usage: a certificate for other uses', async () => {
    const verdict = verifyPe(vectorFile('v-made-signer-is-ca.efi'), {
      anchors: [vectorCertificate('inter')],
    });
    assert.deepEqual(
      verdict.reasons.map(({ code }) => code),
      ['authenticode/key-usage'],
    );
  });

  it('names every reason, not only the first', async () => {
    const signed = await sign(uki);
    const bytes = Uint8Array.from(signed);
    bytes[bytes.length - 40] ^= 1;
    bytes[0x600] ^= 1;
    const verdict = verifyPe(bytes, { anchors: [vectorCertificate('other')] });
    assert.deepEqual(
      verdict.reasons.map(({ code }) => code),
      ['authenticode/hash-mismatch', 'authenticode/bad-signature', 'authenticode/untrusted-signer'],
    );
  });

  it('refuses SHA-1, as firmware does not', () => {
    const verdict = verifyPe(vectorFile('out/sign/digest-sha1-osslsigncode.efi'), {
      anchors: [vectorCertificate('rsa2048')],
    });
    assert.ok(verdict.reasons.some(({ code }) => code === 'authenticode/weak-digest'));
  });

  it('refuses ECDSA, as firmware does', () => {
    const verdict = verifyPe(vectorFile('out/sign/key-ec-osslsigncode.efi'), {
      anchors: [vectorCertificate('ec')],
    });
    assert.ok(verdict.reasons.some(({ code }) => code === 'authenticode/unsupported-key'));
  });

  it('warns of certificates out of date, which firmware accepts', async () => {
    const expired = testSigner('expired');
    const signed = gatherParts(await signPe([uki], expired));
    const verdict = verifyPe(signed, { anchors: expired.certificates, at: new Date('2026-01-01') });
    assert.ok(verdict.accepted);
    assert.deepEqual(
      verdict.warnings.map(({ code }) => code),
      ['authenticode/expired'],
    );
  });

  /** The file with this content, signed without attributes. */
  async function withContent(content: Uint8Array): Promise<Uint8Array> {
    const pe = readPe(uki);
    const certificate = parseCertificate(key.certificates[0]);
    const header = content[1] < 0x80 ? 2 : 2 + (content[1] & 0x7f);
    const pkcs7 = encodeSignedData({
      contentType: OID.spcIndirectData,
      content,
      certificates: key.certificates,
      signerCertificate: certificate,
      signature: await key.signer.sign(content.subarray(header)),
    });
    const entry = encodeTableEntry(pkcs7);
    const bytes = Buffer.concat([uki, entry]);
    bytes.writeUInt32LE(uki.length, pe.securityEntryOffset);
    bytes.writeUInt32LE(entry.length, pe.securityEntryOffset! + 4);
    return bytes;
  }
});
