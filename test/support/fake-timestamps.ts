/** A timestamp authority of one's own (RFC 3161): one key, one certificate, tokens with any time in them. */
import { createHash, sign } from 'node:crypto';
import { OID } from '../../src/formats/der/oid.ts';
import {
  context,
  encodeElement,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  sortSet,
} from '../../src/formats/der/writer.ts';
import { TAG } from '../../src/formats/der/reader.ts';
import { parseCertificate } from '../../src/formats/x509/certificate.ts';
import { ca, makeCertificate, usage } from './x509-maker.ts';

const TST_INFO = '1.2.840.113549.1.9.16.1.4';

export interface TimestampAuthority {
  /** As a trusted root lists it. */
  readonly document: object;
  /** A response with a token that says: this data was there at this time (seconds since 1970). */
  stamp(data: Uint8Array, at: number): Uint8Array;
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export function makeTimestampAuthority(name: string): TimestampAuthority {
  const root = makeCertificate({ name: `${name} root`, extensions: [ca(), usage(5)] });
  const leaf = makeCertificate({ name, issuer: root, extensions: [usage(0)] });
  const { issuer, serial } = parseCertificate(leaf.der);
  return {
    document: {
      subject: { organization: 'test', commonName: name },
      uri: 'https://time.test',
      certChain: { certificates: [leaf, root].map(({ der }) => ({ rawBytes: base64(der) })) },
      validFor: { start: '2021-01-01T00:00:00Z' },
    },
    stamp(data, at) {
      const info = sequence(
        integer(1),
        oid('1.3.6.1.4.1.57264.2'),
        sequence(sequence(oid(OID.sha256)), octetString(sha256(data))),
        integer(at),
        encodeElement(TAG.generalizedTime, Buffer.from(generalizedTime(at))),
      );
      const attributes = sortSet([
        sequence(oid(OID.contentType), setOf(oid(TST_INFO))),
        sequence(oid(OID.messageDigest), setOf(octetString(sha256(info)))),
      ]);
      const signer = sequence(
        integer(1),
        sequence(issuer, encodeElement(TAG.integer, serial)),
        sequence(oid(OID.sha256)),
        context(0, ...attributes),
        sequence(oid(OID.ecdsaWithSha256)),
        octetString(sign('sha256', setOf(...attributes), leaf.key)),
      );
      const signedData = sequence(
        integer(3),
        setOf(sequence(oid(OID.sha256))),
        sequence(oid(TST_INFO), context(0, octetString(info))),
        setOf(signer),
      );
      return sequence(sequence(integer(0)), sequence(oid(OID.signedData), context(0, signedData)));
    },
  };
}

function generalizedTime(at: number): string {
  return `${new Date(at * 1000).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
}
