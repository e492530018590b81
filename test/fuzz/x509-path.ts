/** Certificates as path validation reads them, and a search over the ones that could be read. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isBootsealError } from '../../src/errors.ts';
import { readPemBlocks } from '../../src/formats/cosign/pem.ts';
import { OID } from '../../src/formats/der/oid.ts';
import { buildPath } from '../../src/trust/x509/build-path.ts';
import { checkHostname } from '../../src/trust/x509/hostname.ts';
import { readPathCertificate, type PathCertificate } from '../../src/trust/x509/path-certificate.ts';
import { vectorPath } from '../support/project.ts';
import type { FuzzTarget } from './harness.ts';

const folder = vectorPath('policy', 'keys');
const encoded = readdirSync(folder)
  .filter((name) => name.endsWith('.pem'))
  .flatMap((name) => [...readPemBlocks(readFileSync(join(folder, name)), 1 << 20)])
  .filter(({ label }) => label === 'CERTIFICATE')
  .map(({ bytes }) => bytes);
const pool: readonly PathCertificate[] = encoded.map((bytes) => readPathCertificate(bytes));

const AT = Date.parse('2026-01-01T00:00:00Z');

export const target: FuzzTarget = {
  name: 'x509-path',
  seeds: () => [...encoded],
  run(bytes) {
    const certificate = readPathCertificate(bytes);
    const path = buildPath({
      leaf: certificate,
      intermediates: pool,
      roots: pool.filter(({ certificate: { issuer, subject } }) => Buffer.from(issuer).equals(subject)),
      at: AT,
      usage: OID.codeSigning,
    });
    assert(path[0] === certificate || path[0]?.certificate === certificate.certificate);
    try {
      checkHostname(certificate, 'build.example.com');
    } catch (error) {
      if (!isBootsealError(error)) throw error;
    }
  },
};
