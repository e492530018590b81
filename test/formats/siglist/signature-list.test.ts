import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { formatGuid, parseGuid } from '../../../src/bytes/guid.ts';
import { authenticodeDigest } from '../../../src/formats/authenticode/digest.ts';
import { readPe } from '../../../src/formats/pe/reader.ts';
import {
  certificateLists,
  encodeSignatureLists,
  hashList,
  parseSignatureLists,
  SIGNATURE_TYPE,
} from '../../../src/formats/siglist/signature-list.ts';
import { vectorCertificate, vectorFile } from '../../support/uki-vectors.ts';

const OWNER = '11111111-2222-3333-4444-123456789abc';
/** What hash-to-efi-sig-list writes, which has no option for it. */
const EFITOOLS_OWNER = '605dab50-e046-4300-abb6-3dd810dd8b23';

const same = (ours: Uint8Array, name: string) =>
  assert.deepEqual(Buffer.from(ours), Buffer.from(vectorFile(`out/siglist/${name}`)), name);

describe('signature lists', () => {
  it('are byte-identical to cert-to-efi-sig-list', () => {
    same(
      encodeSignatureLists(certificateLists(OWNER, [vectorCertificate('rsa2048')])),
      'cert-rsa2048.out.esl',
    );
    same(encodeSignatureLists(certificateLists(OWNER, [vectorCertificate('ec')])), 'cert-ec.out.esl');
    const upper = 'ABCDEF01-2345-6789-ABCD-EF0123456789';
    same(
      encodeSignatureLists(certificateLists(upper, [vectorCertificate('rsa2048')])),
      'cert-guid-upper.out.esl',
    );
  });

  it('are byte-identical to hash-to-efi-sig-list', () => {
    for (const name of ['plain', 'tail8', 'unsorted']) {
      const file = vectorFile(`s-${name}.efi`);
      const digest = authenticodeDigest([file], readPe(file));
      same(encodeSignatureLists([hashList(EFITOOLS_OWNER, [digest])]), `hash-${name}.out.esl`);
    }
  });

  it('parse what efitools wrote, and encode to the same bytes', () => {
    for (const name of [
      'cert-chain.out.esl',
      'certhash-256.out.esl',
      'certhash-512.out.esl',
      'sign-mixed-lists.in.esl',
      'sign-two-lists.in.esl',
    ]) {
      const bytes = vectorFile(`out/siglist/${name}`);
      same(encodeSignatureLists(parseSignatureLists(bytes)), name);
    }
    const lists = parseSignatureLists(vectorFile('out/siglist/sign-mixed-lists.in.esl'));
    assert.deepEqual(
      lists.map(({ type }) => type),
      [SIGNATURE_TYPE.x509, SIGNATURE_TYPE.sha256],
    );
    assert.deepEqual(
      lists.map(({ entries }) => entries[0]?.owner),
      [OWNER, EFITOOLS_OWNER],
    );
  });

  it('sb-esl: sizes must fit exactly', () => {
    const good = encodeSignatureLists([hashList(OWNER, [new Uint8Array(32), new Uint8Array(32)])]);
    const withSize = (offset: number, value: number) => {
      const bytes = Uint8Array.from(good);
      new DataView(bytes.buffer).setUint32(offset, value, true);
      return bytes;
    };
    for (const size of [0, 27, 28, good.length - 1, good.length + 1, 0xffff_ffff]) {
      assert.throws(
        () => parseSignatureLists(withSize(16, size)),
        { code: 'siglist/bad-size' },
        `list ${size}`,
      );
    }
    for (const size of [0, 1, 16, 47, 96, 0xffff_ffff]) {
      assert.throws(
        () => parseSignatureLists(withSize(24, size)),
        { code: 'siglist/bad-size' },
        `entry ${size}`,
      );
    }
    assert.throws(() => parseSignatureLists(withSize(20, 0xffff_ffff)), { code: 'siglist/bad-size' });
    for (let length = 1; length < good.length; length += 1) {
      assert.throws(() => parseSignatureLists(good.subarray(0, length)), /BootsealError/, String(length));
    }
    // What cert-to-efi-sig-list leaves, with exit status 0, when it is given a DER file: a certificate of no bytes.
    const empty = encodeSignatureLists([
      {
        type: SIGNATURE_TYPE.x509,
        header: new Uint8Array(0),
        entries: [{ owner: OWNER, data: new Uint8Array(0) }],
      },
    ]);
    assert.equal(empty.length, 44);
    assert.throws(() => parseSignatureLists(empty), { code: 'siglist/bad-size' });
  });

  it('encode and parse are inverse', () => {
    const entry = fc.record({
      owner: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatGuid),
      data: fc.uint8Array({ minLength: 5, maxLength: 5 }),
    });
    const list = fc.record({
      type: fc.constant(SIGNATURE_TYPE.x509),
      header: fc.uint8Array({ maxLength: 4 }),
      entries: fc.array(entry, { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(list), (lists) => {
        const encoded = encodeSignatureLists(lists);
        assert.deepEqual(
          Buffer.from(encodeSignatureLists(parseSignatureLists(encoded))),
          Buffer.from(encoded),
        );
        assert.equal(parseSignatureLists(encoded).length, lists.length);
      }),
    );
  });
});

describe('guid', () => {
  it('is mixed-endian', () => {
    const text = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
    assert.equal(Buffer.from(parseGuid(text)).toString('hex'), '61dfe48bca93d211aa0d00e098032b8c');
    assert.equal(formatGuid(parseGuid(text.toUpperCase())), text);
    for (const bad of ['', '8be4df61', `${text}0`, text.replaceAll('-', ''), `{${text}}`]) {
      assert.throws(() => parseGuid(bad), { code: 'guid/malformed' });
    }
  });
});
