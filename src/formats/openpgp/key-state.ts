/**
 * What a public key says about itself, checked and judged now: GnuPG's rules (merge_selfsigs), because its word is what
 * podman and skopeo go by.
 */
import { concatBytes } from '../../bytes/bytes.ts';
import { hashedKey, hashedUser, isSignatureOver, readVerifyingKey, type VerifyingKey } from './crypto.ts';
import { HASH_ALGORITHMS, MAY_SIGN, SIGNATURE_TYPES, TAGS } from './format.ts';
import { fingerprintOf, type Component, type PublicKey } from './keyring.ts';
import { namesKey, parseSignature, type Signature } from './signature.ts';

/** One key that may have made a signature: the primary or a subkey. */
export interface SigningKey {
  readonly fingerprint: string;
  readonly primaryFingerprint: string;
  readonly key: VerifyingKey;
  readonly algorithm: number;
  readonly created: number;
  /** Seconds since 1970. The primary's end is the end of its subkeys too. */
  readonly expires?: number;
  readonly revoked: boolean;
  readonly maySign: boolean;
  /** A subkey has to say itself that it belongs to the primary, or anyone could claim another's key. */
  readonly crossCertified: boolean;
}

/** Undefined where no user ID has a certification by the key itself: GnuPG imports no such key. */
export async function judgeKey(publicKey: PublicKey): Promise<SigningKey[] | undefined> {
  const primary = await readVerifyingKey(publicKey.body);
  if (primary === undefined) return undefined;
  const keep = keeperOf(publicKey, primary);
  const keyData = hashedKey(publicKey.body);

  // 1. The latest word of the key about itself: a direct signature, and for each user ID a certification.
  const direct = latest(await keep([SIGNATURE_TYPES.directKey], keyData));
  const certifications: Signature[] = [];
  for (const component of publicKey.components.filter(isUser)) {
    const data = concatBytes([keyData, hashedUser(component.tag, component.body)]);
    const valid = latest(await keep(SIGNATURE_TYPES.certifications, data));
    if (valid !== undefined) certifications.push(valid);
  }
  if (certifications.length === 0) return undefined;

  // 2. Revoked by itself, or by a key that it names for that; theirs is believed unchecked, since it can only refuse.
  const revocations = await keep([SIGNATURE_TYPES.keyRevocation], keyData);
  const selfSignatures = [...(direct ? [direct] : []), ...certifications];
  const revokers = selfSignatures.flatMap((signature) => signature.revokers);
  const revoked =
    revocations.length > 0 ||
    publicKey.signatures.some(
      (signature) =>
        signature.type === SIGNATURE_TYPES.keyRevocation &&
        revokers.some((revoker) => namesKey(signature, revoker)),
    );

  // 3. Lifetime and flags: from the direct signature, else from the latest certification that has them.
  const { created } = primary;
  const lifetime =
    direct?.keyLifetime ?? latest(certifications.filter(({ keyLifetime }) => keyLifetime))?.keyLifetime;
  const flags =
    direct?.keyFlags ?? latest(certifications.filter(({ keyFlags }) => keyFlags !== undefined))?.keyFlags;
  const primaryKey: SigningKey = {
    fingerprint: publicKey.fingerprint,
    primaryFingerprint: publicKey.fingerprint,
    key: primary,
    algorithm: primary.algorithm,
    created,
    ...(lifetime !== undefined && { expires: created + lifetime }),
    revoked,
    maySign: maySign(flags),
    crossCertified: true,
  };

  // 4. The subkeys, which end with the primary.
  const keys = [primaryKey];
  for (const component of publicKey.components) {
    if (component.tag !== TAGS.publicSubkey) continue;
    const subkey = await judgeSubkey(component, primaryKey, keyData, keep);
    if (subkey !== undefined) keys.push(subkey);
  }
  return keys;
}

/** The key's own signatures of these types that are over this. */
type Keep = (types: readonly number[], data: Uint8Array) => Promise<Signature[]>;

function keeperOf({ signatures, fingerprint }: PublicKey, primary: VerifyingKey): Keep {
  return async (types, data) => {
    const kept: Signature[] = [];
    for (const signature of signatures) {
      if (!types.includes(signature.type)) continue;
      if (await isOwn(signature, data, primary, fingerprint)) kept.push(signature);
    }
    return kept;
  };
}

/**
 * One of several copies of a key, as gpg imports it before it joins them: without user IDs and subkeys that this copy
 * itself does not certify. Undefined where no user ID is left. Two halves of a key must not make a whole one.
 */
export async function certifiedParts(copy: PublicKey): Promise<PublicKey | undefined> {
  const primary = await readVerifyingKey(copy.body);
  if (primary === undefined) return undefined;
  const keep = keeperOf(copy, primary);
  const keyData = hashedKey(copy.body);
  const components: Component[] = [];
  for (const component of copy.components) {
    const isOfUser = isUser(component);
    const part = isOfUser ? hashedUser(component.tag, component.body) : hashedKey(component.body);
    const types = isOfUser ? SIGNATURE_TYPES.certifications : [SIGNATURE_TYPES.subkeyBinding];
    if ((await keep(types, concatBytes([keyData, part]))).length > 0) components.push(component);
  }
  return components.some(isUser) ? { ...copy, components } : undefined;
}

async function judgeSubkey(
  { body }: Component,
  primary: SigningKey,
  keyData: Uint8Array,
  keep: Keep,
): Promise<SigningKey | undefined> {
  const key = await readVerifyingKey(body);
  if (key === undefined) return undefined;
  const data = concatBytes([keyData, hashedKey(body)]);
  const binding = latest(await keep([SIGNATURE_TYPES.subkeyBinding], data));
  if (binding === undefined) return undefined;
  const revocations = await keep([SIGNATURE_TYPES.subkeyRevocation], data);
  const { created } = key;
  const ends = [
    ...(binding.keyLifetime === undefined ? [] : [created + binding.keyLifetime]),
    ...(primary.expires === undefined ? [] : [primary.expires]),
  ];
  const fingerprint = fingerprintOf(body);
  return {
    fingerprint,
    primaryFingerprint: primary.fingerprint,
    key,
    algorithm: key.algorithm,
    created,
    ...(ends.length > 0 && { expires: Math.min(...ends) }),
    revoked: primary.revoked || revocations.length > 0,
    maySign: maySign(binding.keyFlags),
    crossCertified: await isCrossCertified(binding, data, key, fingerprint),
  };
}

/** The signature of the subkey over the primary, inside the binding. */
async function isCrossCertified(
  binding: Signature,
  data: Uint8Array,
  key: VerifyingKey,
  fingerprint: string,
): Promise<boolean> {
  for (const body of binding.embedded) {
    try {
      const signature = parseSignature(body);
      if (signature.type !== SIGNATURE_TYPES.primaryKeyBinding) continue;
      if (await isOwn(signature, data, key, fingerprint)) return true;
    } catch {
      // One that cannot be read certifies nothing.
    }
  }
  return false;
}

async function isOwn(
  signature: Signature,
  data: Uint8Array,
  key: VerifyingKey,
  fingerprint: string,
): Promise<boolean> {
  if (!namesKey(signature, fingerprint) || !HASH_ALGORITHMS.has(signature.hashAlgorithm)) return false;
  if (signature.unknownCritical !== undefined || !signature.exportable) return false;
  return isSignatureOver(signature, data, key);
}

function latest(signatures: readonly Signature[]): Signature | undefined {
  return signatures.reduce<Signature | undefined>(
    (last, signature) => (last === undefined || signature.created >= last.created ? signature : last),
    undefined,
  );
}

/** A key without flags may do what its algorithm can. */
function maySign(flags: number | undefined): boolean {
  return flags === undefined || (flags & MAY_SIGN) !== 0;
}

function isUser({ tag }: Component): boolean {
  return tag === TAGS.userId || tag === TAGS.userAttribute;
}
