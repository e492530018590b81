/**
 * Certificates that a `sigstoreSigned` requirement trusts, opened: with the key of a signature's certificate as the answer.
 * Loaded only for policies that name any, since path validation is as large as the rest of a verdict.
 */
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import type { SigstoreSignature } from '../../formats/cosign/signature.ts';
import type { Fulcio, Pki } from '../../formats/policy-json/policy.ts';
import { readIntermediates, readRoots } from '../x509/pem-certificates.ts';
import { fulcioKey, pkiKey } from './certificates.ts';
import type { TrustFile } from './sigstore-keys.ts';

/** The key of the certificate beside a signature, valid at `at` (milliseconds since 1970). */
export type CertifiedKey = (signature: SigstoreSignature, at: number) => SigstorePublicKey;

/** Throws `trust/key-unreadable`. */
export function openFulcio(file: TrustFile, { oidcIssuer, subjectEmail }: Fulcio): CertifiedKey {
  const roots = readRoots(file.bytes);
  if (roots === undefined) throw unreadable('error loading Fulcio CA certificates', file.source);
  return (signature, at) => fulcioKey(signature, { roots, oidcIssuer, subjectEmail }, at);
}

/** Throws `trust/key-unreadable`. */
export function openPki(
  rootFile: TrustFile,
  intermediateFiles: readonly TrustFile[],
  { subjectEmail, subjectHostname }: Pki,
): CertifiedKey {
  const roots = readRoots(rootFile.bytes);
  if (roots === undefined) throw unreadable('error loading PKI CA Roots certificates', rootFile.source);
  const intermediates = intermediateFiles.flatMap((file) => parseIntermediates(file));
  const subjects = {
    ...(subjectEmail !== undefined && { subjectEmail }),
    ...(subjectHostname !== undefined && { subjectHostname }),
  };
  return (signature, at) => pkiKey(signature, { roots, intermediates, ...subjects }, at);
}

function parseIntermediates({ bytes, source }: TrustFile): ReturnType<typeof readIntermediates> {
  try {
    return readIntermediates(bytes);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    throw unreadable(`loading trusted intermediate certificates: ${error.message}`, source);
  }
}

function unreadable(message: string, where: string): BootsealError {
  return new BootsealError('trust/key-unreadable', message, { where });
}
