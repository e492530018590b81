import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { normaliseLengths } from '../../../src/formats/der/normalise.ts';
import { encodeOid, formatOid, OID } from '../../../src/formats/der/oid.ts';
import {
  contextTag,
  DerFields,
  readBitString,
  readBoolean,
  readChildren,
  readConstructed,
  readDer,
  readIntegerBytes,
  readOid,
  readSmallInteger,
  readTime,
  TAG,
  type DerElement,
} from '../../../src/formats/der/reader.ts';
import * as der from '../../../src/formats/der/writer.ts';
import { nestedElements } from '../../support/nested-elements.ts';
import { vectorCertificate } from '../../support/uki-vectors.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const refused = (text: string, code: string, read: (element: DerElement) => unknown = () => undefined) =>
  assert.throws(() => read(readDer(hex(text))), { code });

describe('der reader', () => {
  it('refuses what BER allows and DER does not', () => {
    refused('30 80 00 00', 'der/bad-length');
    refused('04 81 01 00', 'der/bad-length');
    refused('04 82 00 80', 'der/bad-length');
    refused('04 85 00 00 00 00 00', 'der/bad-length');
    refused('02 02 00 01', 'der/bad-integer', readIntegerBytes);
    refused('02 02 ff 80', 'der/bad-integer', readIntegerBytes);
    refused('02 00', 'der/bad-integer', readIntegerBytes);
    refused('01 01 01', 'der/bad-boolean', readBoolean);
    refused('03 02 01 01', 'der/bad-bit-string', readBitString);
    refused('03 01 01', 'der/bad-bit-string', readBitString);
    refused('03 00', 'der/bad-bit-string', readBitString);
    refused('06 02 80 01', 'der/bad-oid', readOid);
    refused('06 01 81', 'der/bad-oid', readOid);
    refused('1f 81 00', 'der/bad-tag');
  });

  it('refuses cut-off elements and bytes after the end, with the offset', () => {
    assert.throws(() => readDer(hex('30 05 02 01')), { code: 'der/truncated', offset: 0 });
    assert.throws(() => readDer(hex('05 00 00')), { code: 'der/trailing-data', offset: 2 });
    assert.throws(() => readChildren(readDer(hex('30 04 02 01 00 05'))), {
      code: 'der/truncated',
      offset: 5,
    });
    assert.throws(() => readDer(new Uint8Array(0)), { code: 'der/truncated' });
    assert.throws(() => readDer(hex('04 84 ff ff ff ff')), { code: 'der/truncated' });
  });

  it('stops at a depth of 32', () => {
    const nested = (levels: number) => {
      let element = der.nullValue();
      for (let level = 0; level < levels; level += 1) element = der.sequence(element);
      return element;
    };
    const walk = (element: DerElement): number =>
      element.tag === TAG.sequence ? 1 + walk(readChildren(element)[0]) : 0;
    assert.equal(walk(readDer(nested(31))), 31);
    assert.throws(() => walk(readDer(nested(32))), { code: 'der/too-deep' });
  });

  it('js-asn1: 10,000 elements inside of each other are refused, not followed', () => {
    const bytes = nestedElements(10_000);
    const walk = (element: DerElement): void => readChildren(element).forEach(walk);
    assert.throws(() => walk(readDer(bytes)), { code: 'der/too-deep' });
    assert.throws(() => normaliseLengths(bytes), { code: 'der/too-deep' });
  });

  it('js-asn1: an optional element in the wrong place, twice, or of another type is not passed over', () => {
    // SEQUENCE { [0] optional, INTEGER, [1] optional }
    const read = (...elements: readonly Uint8Array[]): boolean[] => {
      const fields = new DerFields(readDer(der.sequence(...elements)), TAG.sequence, 'test');
      const before = fields.optional(contextTag(0));
      fields.take(TAG.integer, 'number');
      const behind = fields.optional(contextTag(1));
      fields.end();
      return [before !== undefined, behind !== undefined];
    };
    const [zero, one, number] = [der.context(0), der.context(1), der.integer(7)];
    assert.deepEqual(read(zero, number, one), [true, true]);
    assert.deepEqual(read(number), [false, false]);
    for (const [elements, code] of [
      [[number, zero], 'der/unexpected'],
      [[one, number], 'der/wrong-tag'],
      [[zero, zero, number], 'der/wrong-tag'],
      [[zero, one, number], 'der/wrong-tag'],
      [[number, one, one], 'der/unexpected'],
      [[number, number], 'der/unexpected'],
      [[zero], 'der/missing'],
    ] as const) {
      assert.throws(() => read(...elements), { code });
    }
  });

  it('js-oid: an arc and 2^32 more is another arc; one of 2^53 is refused', () => {
    const arcs = (text: string, more: bigint): Uint8Array => {
      const parts = text.split('.').map(BigInt);
      const last = parts.pop()! + more;
      const octets = [Number(last & 0x7fn)];
      for (let rest = last >> 7n; rest > 0n; rest >>= 7n) octets.unshift(Number(rest & 0x7fn) | 0x80);
      return Uint8Array.from([...encodeOid(parts.join('.')), ...octets]);
    };
    for (const id of Object.values(OID)) {
      assert.equal(formatOid(arcs(id, 0n)), id);
      for (const bits of [8n, 16n, 28n, 31n, 32n, 33n, 52n]) {
        assert.notEqual(formatOid(arcs(id, 1n << bits)), id, `${id} + 2^${bits}`);
      }
      for (const bits of [53n, 64n, 70n, 700n]) {
        assert.throws(() => formatOid(arcs(id, 1n << bits)), { code: 'der/bad-oid' });
      }
    }
  });

  it('reads times of both kinds, and no impossible ones', () => {
    const time = (tag: string, text: string) =>
      readTime(readDer(der.encodeElement(Number(tag), Buffer.from(text))));
    assert.equal(time('0x17', '491231235959Z').toISOString(), '2049-12-31T23:59:59.000Z');
    assert.equal(time('0x17', '500101000000Z').toISOString(), '1950-01-01T00:00:00.000Z');
    assert.equal(time('0x18', '20500101000000Z').toISOString(), '2050-01-01T00:00:00.000Z');
    for (const text of [
      '210229000000Z',
      '211301000000Z',
      '210101240000Z',
      '2101010000Z',
      '210101000000+0000',
      '',
    ]) {
      assert.throws(() => time('0x17', text), { code: 'der/bad-time' }, text);
    }
  });

  it('gives back what was written', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (values) => {
        const encoded = der.sequence(...values.map((value) => der.octetString(value)));
        const children = readConstructed(readDer(encoded), TAG.sequence, 'test');
        assert.deepEqual(
          children.map((child) => [...child.contents]),
          values.map((value) => [...value]),
        );
      }),
    );
    fc.assert(
      fc.property(fc.nat(), (value) => assert.equal(readSmallInteger(readDer(der.integer(value))), value)),
    );
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1950-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          const seconds = Math.floor(date.getTime() / 1000) * 1000;
          assert.equal(readTime(readDer(der.time(date))).getTime(), seconds);
        },
      ),
    );
    const arcs = fc.tuple(fc.nat(2), fc.nat(39), fc.array(fc.nat()));
    fc.assert(
      fc.property(arcs, ([first, second, rest]) => {
        const text = [first, second, ...rest].join('.');
        assert.equal(formatOid(encodeOid(text)), text);
      }),
    );
  });

  it('writes what it read: every element of real certificates', () => {
    const rewrite = (element: DerElement): Uint8Array =>
      der.encodeElement(
        element.tag,
        ...((element.tag & 0x20) === 0 ? [element.contents] : readChildren(element).map(rewrite)),
      );
    for (const name of ['root', 'leaf', 'ec', 'rsa4096']) {
      const bytes = vectorCertificate(name);
      assert.deepEqual(Buffer.from(rewrite(readDer(bytes))), Buffer.from(bytes));
    }
  });
});
