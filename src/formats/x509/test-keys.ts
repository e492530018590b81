/**
 * Keys that were published and must protect nothing. Boards have shipped with a platform key named "DO NOT TRUST"
 * whose private half was in a public repository (CVE-2024-8105).
 */
import { BootsealError } from '../../errors.ts';
import type { Certificate } from './certificate.ts';

const TEST_NAMES = /DO NOT (?:TRUST|SHIP)|bootseal TEST ONLY/i;

/** True when the subject says that the key is for tests. */
export function isTestCertificate(certificate: Pick<Certificate, 'subjectText'>): boolean {
  return TEST_NAMES.test(certificate.subjectText);
}

/** Refuses a name for new keys that would mark them as test keys. Throws `x509/test-key`. */
export function refuseTestName(name: string): void {
  if (TEST_NAMES.test(name)) {
    throw new BootsealError('x509/test-key', 'the name says that the keys are not to be trusted', {
      hint: 'choose a name that says whose keys they are',
      exit: 2,
    });
  }
}
