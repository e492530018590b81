/** Signed messages against a keyring: who signed, and whether that counts today. */
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import { isSignatureOver } from './crypto.ts';
import { HASH_ALGORITHMS, SIGNING_ALGORITHMS } from './format.ts';
import { certifiedParts, judgeKey, type SigningKey } from './key-state.ts';
import { mergeKeyrings, type KeyringFile, type PublicKey } from './keyring.ts';
import { parseSignedMessage, type SignedMessage } from './message.ts';
import { namesKey } from './signature.ts';

/** Keys that hold together, and may be asked as often as one likes. */
export interface Keyring {
  readonly keys: readonly SigningKey[];
  /** Of the primary keys, upper-case. */
  readonly fingerprints: readonly string[];
}

/** Leaves out keys that nothing of their own certifies. */
export async function openKeyring(publicKeys: readonly PublicKey[]): Promise<Keyring> {
  const judged = await Promise.all(publicKeys.map(judgeKey));
  const keys = judged.flatMap((each) => each ?? []);
  return { keys, fingerprints: [...new Set(keys.map(({ primaryFingerprint }) => primaryFingerprint))] };
}

/** The keys of several files, joined as gpg joins what it imports. Throws `openpgp/too-many-packets`. */
export async function openKeyringFiles(files: readonly KeyringFile[]): Promise<Keyring> {
  const copies = new Map<string, number>();
  for (const { fingerprint } of files.flatMap(({ keys }) => keys)) {
    copies.set(fingerprint, (copies.get(fingerprint) ?? 0) + 1);
  }
  const whole = (key: PublicKey): Promise<PublicKey | undefined> =>
    copies.get(key.fingerprint) === 1 ? Promise.resolve(key) : certifiedParts(key);
  const certified = await Promise.all(
    files.map(async ({ keys, revocations }) => {
      const kept = await Promise.all(keys.map(whole));
      return { keys: kept.filter((key) => key !== undefined), revocations };
    }),
  );
  return openKeyring(mergeKeyrings(certified));
}

export type OpenPgpVerdict =
  | {
      readonly valid: true;
      readonly content: Uint8Array;
      readonly fingerprint: string;
      readonly primaryFingerprint: string;
    }
  | {
      readonly valid: false;
      readonly code: ErrorCode;
      readonly message: string;
      /** Of the primary key, where it is known. */
      readonly primaryFingerprint?: string;
    };

/** `now`: seconds since 1970. Never throws for what the message holds. */
export async function verifyMessage(
  bytes: Uint8Array,
  keyring: Keyring,
  now: number,
): Promise<OpenPgpVerdict> {
  // 1. What form it has.
  let message: SignedMessage;
  try {
    message = parseSignedMessage(bytes);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return { valid: false, code: 'trust/malformed-signature', message: error.message };
  }
  const { signature, signed, content } = message;
  const refuse = (code: ErrorCode, why: string, key?: SigningKey): OpenPgpVerdict => ({
    valid: false,
    code,
    message: `Invalid GPG signature: ${why}`,
    ...(key && { primaryFingerprint: key.primaryFingerprint }),
  });
  if (signature.unknownCritical !== undefined) {
    return refuse('trust/bad-signature', `${signature.unknownCritical} is critical and not understood`);
  }
  if (!HASH_ALGORITHMS.has(signature.hashAlgorithm)) {
    return refuse('trust/bad-signature', `hash algorithm ${signature.hashAlgorithm} is not accepted`);
  }
  if (!SIGNING_ALGORITHMS.has(signature.keyAlgorithm)) {
    return refuse('trust/bad-signature', `key algorithm ${signature.keyAlgorithm} is not supported`);
  }
  // 2. Whose it is. Of several keys of one ID, the one that made it.
  const candidates = keyring.keys.filter(({ fingerprint }) => namesKey(signature, fingerprint));
  if (candidates.length === 0) {
    return refuse(
      'trust/unknown-key',
      `no key ${signature.issuers[0] ?? '(the signature names none)'} in the keyring`,
    );
  }
  let signer: SigningKey | undefined;
  for (const candidate of candidates) {
    if (await isSignatureOver(signature, signed, candidate.key)) {
      signer = candidate;
      break;
    }
  }
  if (signer === undefined) {
    return refuse(
      'trust/bad-signature',
      `it does not fit the text and the key ${candidates[0].fingerprint}`,
      candidates[0],
    );
  }
  // 3. Whether that key's word counts, today.
  const fault = keyFault(signer, signature.created, now);
  if (fault !== undefined) return refuse(fault.code, fault.why, signer);
  if (signature.expires !== undefined && signature.expires <= now) {
    return refuse('trust/expired-signature', `the signature expired ${day(signature.expires)}`, signer);
  }
  const { fingerprint, primaryFingerprint } = signer;
  return { valid: true, content, fingerprint, primaryFingerprint };
}

function keyFault(
  { fingerprint, created, expires, revoked, maySign, crossCertified }: SigningKey,
  signedAt: number,
  now: number,
): { readonly code: ErrorCode; readonly why: string } | undefined {
  if (revoked) return { code: 'trust/revoked-key', why: `key ${fingerprint} is revoked` };
  if (expires !== undefined && expires <= now) {
    return { code: 'trust/expired-key', why: `key ${fingerprint} expired ${day(expires)}` };
  }
  if (!maySign) return { code: 'trust/wrong-key-usage', why: `key ${fingerprint} is not for signing` };
  if (!crossCertified) {
    return {
      code: 'trust/bad-key',
      why: `subkey ${fingerprint} does not certify that it belongs to its key`,
    };
  }
  if (created > signedAt || created > now) {
    return { code: 'trust/bad-signature', why: `the signature is older than the key ${fingerprint}` };
  }
  return undefined;
}

function day(seconds: number): string {
  return `on ${new Date(seconds * 1000).toISOString().slice(0, 10)}`;
}
