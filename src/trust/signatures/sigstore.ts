/** One sigstore signature against what the policy trusts: who may have signed, then crypto, then what it says. */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError, type ErrorCode } from '../../errors.ts';
import { parsePayload } from '../../formats/cosign/payload.ts';
import { REKOR_SET_ANNOTATION, type RekorEntry } from '../../formats/cosign/rekor-set.ts';
import {
  CERTIFICATE_ANNOTATION,
  SIGNATURE_ANNOTATION,
  type SigstoreSignature,
} from '../../formats/cosign/signature.ts';
import { decodeGoBase64 } from '../../formats/strict-json/go-base64.ts';
import type { SignatureVerdict } from '../verdict.ts';
import { judgeClaims, type ClaimsQuestion } from './claims.ts';
import { bindEntry, readOnlyBlock, verifyRekorSet } from './rekor.ts';
import type { TrustedKey } from './sigstore-keys.ts';
import type { LogKeys, TrustRoot } from './trust-root.ts';
import { checkSignature } from './verify-bytes.ts';

export interface SigstoreQuestion extends ClaimsQuestion {
  readonly trust: TrustRoot;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export function judgeSigstoreSignature(
  signature: SigstoreSignature,
  question: SigstoreQuestion,
): SignatureVerdict {
  const encoded = signature.annotations.get(SIGNATURE_ANNOTATION);
  if (encoded === undefined) {
    return refused('trust/malformed-signature', `missing ${SIGNATURE_ANNOTATION} annotation`);
  }
  // 1. The keys that may have made it. With a log or with certificates, the signature's own annotations say which.
  const decoded = decodeGoBase64(encoded);
  let signers: Signers;
  try {
    signers = signersOf(signature, decoded, question);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return refused(error.code, error.message);
  }
  // 2. The signature itself, over the payload bytes as they are.
  if (typeof decoded === 'number') {
    return refused('trust/malformed-signature', `base64 decoding: ${illegalBase64(decoded)}`);
  }
  const reasons: string[] = [];
  let signer: TrustedKey | undefined;
  for (const trusted of signers.keys) {
    const reason = checkSignature(trusted.key, signature.payload, decoded);
    if (reason === undefined) {
      signer = trusted;
      break;
    }
    reasons.push(reason);
  }
  if (signer === undefined) {
    return refused(
      'trust/bad-signature',
      `cryptographic signature verification failed: ${reasons.join(', ')}`,
    );
  }
  const by = { keyFingerprint: signer.key.fingerprint, keySource: signer.source };
  const logged = signers.entry && { loggedAt: loggedTime(signers.entry) };

  // 3. What was signed, read from those same bytes.
  return judgeClaims(() => parsePayload(signature.payload), { ...by, ...logged }, question);
}

interface Signers {
  readonly keys: readonly TrustedKey[];
  readonly entry?: RekorEntry;
}

/** Throws a BootsealError that refuses the signature. */
function signersOf(
  signature: SigstoreSignature,
  decoded: Uint8Array | number,
  { trust, now }: SigstoreQuestion,
): Signers {
  switch (trust.kind) {
    case 'keys':
      return trust.logKeys === undefined
        ? { keys: trust.keys }
        : loggedKey(signature, decoded, trust.keys, trust.logKeys);
    case 'fulcio': {
      // The time in the entry is that of the log only when its signature is good and it is about this signature.
      const set = requireAnnotation(signature, REKOR_SET_ANNOTATION, 'trust/no-rekor-entry');
      const certificate = requireAnnotation(signature, CERTIFICATE_ANNOTATION, 'trust/no-certificate');
      const entry = verifyRekorSet(set, trust.logKeys);
      const what = 'public key or cert to be matched against publicKey in Rekor SET';
      const signer = readOnlyBlock(encodeUtf8(certificate), what);
      bindEntry(entry, { signer, signature: decodedOrThrow(decoded), payload: signature.payload });
      const key = trust.key(signature, Number(entry.integratedTime) * 1000);
      return { keys: [{ key, source: `certificate of ${trust.subject}` }], entry };
    }
    case 'pki':
    default: {
      requireAnnotation(signature, CERTIFICATE_ANNOTATION, 'trust/no-certificate');
      return { keys: [{ key: trust.key(signature, now), source: `certificate of ${trust.subject}` }] };
    }
  }
}

/** An entry names one key: only that one may have made the signature then, if it is among those trusted. */
function loggedKey(
  signature: SigstoreSignature,
  decoded: Uint8Array | number,
  keys: readonly TrustedKey[],
  logKeys: LogKeys,
): Signers {
  const set = requireAnnotation(signature, REKOR_SET_ANNOTATION, 'trust/no-rekor-entry');
  const reasons: string[] = [];
  try {
    const entry = verifyRekorSet(set, logKeys);
    for (const trusted of keys) {
      try {
        const subject = { signature: decodedOrThrow(decoded), payload: signature.payload };
        bindEntry(entry, { signer: trusted.key.spki, ...subject });
        return { keys: [trusted], entry };
      } catch (error) {
        if (!isBootsealError(error)) throw error;
        reasons.push(error.message);
      }
    }
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    // The peer checks the entry for each key anew, and says so each time.
    reasons.push(...keys.map(() => error.message));
  }
  throw new BootsealError(
    'trust/bad-rekor-entry',
    `No public key verified against the RekorSET: ${reasons.join(', ')}`,
  );
}

function requireAnnotation({ annotations }: SigstoreSignature, name: string, code: ErrorCode): string {
  const value = annotations.get(name);
  if (value === undefined) throw new BootsealError(code, `missing ${name} annotation`);
  return value;
}

function decodedOrThrow(decoded: Uint8Array | number): Uint8Array {
  if (typeof decoded !== 'number') return decoded;
  throw new BootsealError(
    'trust/malformed-signature',
    `decoding signature base64: ${illegalBase64(decoded)}`,
  );
}

function illegalBase64(offset: number): string {
  return `illegal base64 data at input byte ${offset}`;
}

function loggedTime({ integratedTime }: RekorEntry): string {
  const time = new Date(Number(integratedTime) * 1000);
  return Number.isNaN(time.getTime()) ? `${integratedTime} s since 1970` : time.toISOString();
}

function refused(code: ErrorCode, message: string): SignatureVerdict {
  return { accepted: false, code, message };
}
