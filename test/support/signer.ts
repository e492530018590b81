/** Signers around the published test keys of test/vectors/uki. */
import { createPrivateKey } from 'node:crypto';
import type { Signer } from '../../src/formats/authenticode/ports.ts';
import { signerOf } from '../../src/stores/keys/signing-key.ts';
import { vectorCertificate, vectorKeyPem } from './uki-vectors.ts';

export interface TestSigner {
  readonly signer: Signer;
  readonly certificates: Uint8Array[];
}

export function testSigner(name = 'rsa2048', ...intermediates: readonly string[]): TestSigner {
  return {
    signer: signerOf(createPrivateKey(vectorKeyPem(name))),
    certificates: [name, ...intermediates].map(vectorCertificate),
  };
}
