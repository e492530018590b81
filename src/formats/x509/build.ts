/** Builds certificates for boot signing keys: RSA, SHA-256, version 3 (RFC 5280). */
import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto';
import { BootsealError } from '../../errors.ts';
import { OID } from '../der/oid.ts';
import { DerFields, readBitString, readDer, TAG } from '../der/reader.ts';
import {
  algorithm,
  bitString,
  boolean,
  context,
  integer,
  octetString,
  oid,
  sequence,
  time,
  unsignedInteger,
} from '../der/writer.ts';
import { encodeName } from './name.ts';

/** RFC 5280 appendix A, ub-common-name and ub-organization-name. */
const MAX_NAME_CHARACTERS = 64;

export interface CertificateRequest {
  readonly commonName: string;
  readonly organization?: string;
  /** The key that the certificate is about: RSA, public or private part. */
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly authority?: boolean;
  /** Who signs. Without it the certificate is signed by `signingKey` under its own name. */
  readonly issuer?: { readonly encodedName: Uint8Array };
  readonly signingKey: KeyObject;
  /** Big-endian, at most 20 bytes with the top bit clear. Random by default. */
  readonly serial?: Uint8Array;
}

/** The certificate in DER. */
export function buildCertificate(request: CertificateRequest): Uint8Array {
  for (const text of [request.commonName, request.organization ?? '-']) {
    if (text.length === 0 || text.length > MAX_NAME_CHARACTERS) {
      throw new BootsealError('x509/name-length', `a name must have 1 to ${MAX_NAME_CHARACTERS} characters`, {
        exit: 2,
      });
    }
  }
  const subject = encodeName(request.commonName, request.organization);
  const spki = Uint8Array.from(request.publicKey.export({ type: 'spki', format: 'der' }));
  const authority = request.authority ?? false;
  const tbs = sequence(
    context(0, integer(2)),
    unsignedInteger(request.serial ?? randomSerial()),
    algorithm(OID.sha256WithRsa),
    request.issuer?.encodedName ?? subject,
    sequence(time(request.notBefore), time(request.notAfter)),
    subject,
    spki,
    context(
      3,
      sequence(
        extension(OID.basicConstraints, true, authority ? sequence(boolean(true)) : sequence()),
        // digitalSignature is bit 0, keyCertSign bit 5.
        extension(
          OID.keyUsage,
          true,
          authority ? bitString(Uint8Array.of(0x84), 2) : bitString(Uint8Array.of(0x80), 7),
        ),
        extension(OID.extendedKeyUsage, false, sequence(oid(OID.codeSigning))),
        extension(OID.subjectKeyIdentifier, false, octetString(keyIdentifier(spki))),
      ),
    ),
  );
  const signature = sign('sha256', tbs, request.signingKey);
  return sequence(tbs, algorithm(OID.sha256WithRsa), bitString(signature));
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** RFC 5280 section 4.2.1.2, method 1: SHA-1 of the key's bits. An identifier, not a security measure. */
function keyIdentifier(spki: Uint8Array): Uint8Array {
  const fields = new DerFields(readDer(spki), TAG.sequence, 'subjectPublicKeyInfo');
  fields.take(TAG.sequence, 'algorithm');
  const { bytes } = readBitString(fields.take(TAG.bitString, 'key'));
  return createHash('sha1').update(bytes).digest();
}

/** 19 random bytes: positive, and well within the 20 octets of RFC 5280 section 4.1.2.2. */
function randomSerial(): Uint8Array {
  const serial = randomBytes(19);
  serial[0] = (serial[0] & 0x7f) | 0x40;
  return serial;
}
