/** DER and certificates: every element of whatever is taken is walked. */
import { readChildren, readDer, type DerElement } from '../../src/formats/der/reader.ts';
import {
  extendedKeyUsages,
  isAuthority,
  keyUsages,
  parseCertificate,
} from '../../src/formats/x509/certificate.ts';
import { vectorCertificate } from '../support/uki-vectors.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'der',
  seeds: () => ['ec', 'rsa2048', 'leaf'].map(vectorCertificate),
  run(bytes) {
    const certificate = parseCertificate(bytes);
    keyUsages(certificate);
    extendedKeyUsages(certificate);
    isAuthority(certificate);
    walk(readDer(bytes));
  },
};

function walk(element: DerElement): void {
  if ((element.tag & 0x20) !== 0) for (const child of readChildren(element)) walk(child);
}
