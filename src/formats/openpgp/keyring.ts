/**
 * Public keys as files have them → one entry per primary key, with everything said about it still unjudged. Taken in
 * and left out as GnuPG does when it imports: what makes it drop a whole file makes us drop it.
 */
import { createHash } from 'node:crypto';
import { equalBytes } from '../../bytes/bytes.ts';
import { isBootsealError, BootsealError } from '../../errors.ts';
import { encodeHex } from '../../bytes/hex.ts';
import { isArmored, readArmoredKeys } from './armor.ts';
import { hashedKey } from './crypto.ts';
import {
  MAX_COMPONENTS,
  MAX_KEYRING_PACKETS,
  MAX_KEYRING_SIZE,
  MAX_SELF_SIGNATURES,
  SIGNATURE_TYPES,
  TAGS,
} from './format.ts';
import { readPackets, type Packet } from './packets.ts';
import { namesKey, parseSignature, type Signature } from './signature.ts';

/** A user ID, user attribute or subkey. */
export interface Component {
  readonly tag: number;
  readonly body: Uint8Array;
}

export interface PublicKey {
  /** Of the primary key: 40 upper-case hexadecimal digits. */
  readonly fingerprint: string;
  readonly body: Uint8Array;
  readonly components: Component[];
  /**
   * What the key says of itself and its parts, and revocations by others. Where a signature stands means nothing: gpg
   * puts a misplaced one where it belongs, a revocation too.
   */
  readonly signatures: Signature[];
}

/** What one file holds. Nothing of it is judged yet. */
export interface KeyringFile {
  readonly keys: readonly PublicKey[];
  /** Every revocation, wherever it stands: also a file of its own (`gpg --gen-revoke`) counts, and one put behind another key. */
  readonly revocations: readonly Signature[];
}

/**
 * One file: binary, or armored with text around it and several blocks. A file that holds no key gives none, without an
 * error, since GnuPG imports nothing from it and goes on. Throws only `openpgp/secret-key` and `openpgp/too-large`.
 */
export function readKeyringFile(bytes: Uint8Array): KeyringFile {
  if (bytes.length > MAX_KEYRING_SIZE) {
    throw new BootsealError(
      'openpgp/too-large',
      `keyring of ${bytes.length} bytes exceeds ${MAX_KEYRING_SIZE}`,
    );
  }
  const revocations: Signature[] = [];
  try {
    const blobs = isArmored(bytes) ? readArmoredKeys(bytes) : [bytes];
    const keys = blobs.flatMap((blob) => collectKeys(readPackets(blob, MAX_KEYRING_PACKETS), revocations));
    return { keys, revocations };
  } catch (error) {
    if (!isBootsealError(error) || error.code === 'openpgp/secret-key') throw error;
    // What was revoked before the fault stays so.
    return { keys: [], revocations };
  }
}

/**
 * Everything that any copy of a key says, in any of the files, so that one that tells of a revocation cannot be outdone
 * by one that does not. Throws `openpgp/too-many-packets`.
 */
export function mergeKeyrings(files: readonly KeyringFile[]): PublicKey[] {
  const merged = new Map<string, PublicKey>();
  for (const key of files.flatMap(({ keys }) => keys)) {
    const known = merged.get(key.fingerprint);
    if (known === undefined) {
      merged.set(key.fingerprint, key);
      continue;
    }
    for (const signature of key.signatures) addOnce(known, signature);
    for (const component of key.components) addComponent(known, component);
  }
  for (const key of merged.values()) {
    for (const revocation of files.flatMap(({ revocations }) => revocations)) {
      if (namesKey(revocation, key.fingerprint)) addOnce(key, revocation);
    }
  }
  return [...merged.values()];
}

/** The keys of one file alone, for looking at. Copies of a key are joined unjudged: verifying goes by `openKeyringFiles`. */
export function parseKeyring(bytes: Uint8Array): PublicKey[] {
  return mergeKeyrings([readKeyringFile(bytes)]);
}

export function fingerprintOf(body: Uint8Array): string {
  // SHA-1, because that is what names a key of version 4.
  return encodeHex(createHash('sha1').update(hashedKey(body)).digest()).toUpperCase();
}

/** What belongs to a key before it. */
const PARTS: ReadonlySet<number> = new Set([
  TAGS.signature,
  TAGS.userId,
  TAGS.userAttribute,
  TAGS.publicSubkey,
]);

const REVOCATIONS: readonly number[] = [SIGNATURE_TYPES.keyRevocation, SIGNATURE_TYPES.subkeyRevocation];

function collectKeys(packets: readonly Packet[], revocations: Signature[]): PublicKey[] {
  const keys: PublicKey[] = [];
  let key: PublicKey | undefined;
  let begun = false;
  let subkeysBegun = false;
  for (const { tag, body, offset } of packets) {
    const signature = tag === TAGS.signature ? readQuietly(body) : undefined;
    const revokes = signature !== undefined && REVOCATIONS.includes(signature.type);
    if (revokes) revocations.push(signature);
    if (!begun && PARTS.has(tag) && !revokes) {
      throw new BootsealError('openpgp/malformed-packet', 'a keyring begins with a key', { offset });
    }
    switch (tag) {
      case TAGS.secretKey:
      case TAGS.secretSubkey:
        throw new BootsealError(
          'openpgp/secret-key',
          'this is a secret key: a keyring must hold public keys only',
          {
            offset,
            hint: 'export the public key: gpg --export FINGERPRINT',
          },
        );
      case TAGS.publicKey:
        // Keys of other versions are left out with all that follows them.
        key = body[0] === 4 && body.length > 6 ? newKey(body) : undefined;
        if (key !== undefined) keys.push(key);
        begun = true;
        subkeysBegun = false;
        break;
      case TAGS.userId:
      case TAGS.userAttribute:
      case TAGS.publicSubkey:
        // gpg looks for user IDs before the first subkey only; subkeys of other versions are not for us.
        if (tag === TAGS.publicSubkey) subkeysBegun = true;
        else if (subkeysBegun) break;
        if (tag !== TAGS.publicSubkey || body[0] === 4) {
          if (key !== undefined) addComponent(key, { tag, body });
        }
        break;
      case TAGS.signature:
        if (key !== undefined && signature !== undefined) addSignature(key, signature);
        break;
      case TAGS.marker:
      case TAGS.trust:
        break;
      default:
        throw new BootsealError('openpgp/malformed-packet', `packet with tag ${tag} in a keyring`, {
          offset,
        });
    }
  }
  return keys;
}

function newKey(body: Uint8Array): PublicKey {
  return { fingerprint: fingerprintOf(body), body, components: [], signatures: [] };
}

function addComponent(key: PublicKey, { tag, body }: Component): void {
  if (key.components.some((other) => other.tag === tag && equalBytes(other.body, body))) return;
  if (key.components.length === MAX_COMPONENTS) throw tooMany(`${MAX_COMPONENTS} user IDs and subkeys`);
  key.components.push({ tag, body });
}

/** Other people's certifications are left out, but not the word of a key that may revoke this one. */
function addSignature(key: PublicKey, signature: Signature): void {
  if (signature.type !== SIGNATURE_TYPES.keyRevocation && !namesKey(signature, key.fingerprint)) return;
  addOnce(key, signature);
}

/** One that cannot be read says nothing. */
function readQuietly(body: Uint8Array): Signature | undefined {
  try {
    return parseSignature(body);
  } catch {
    return undefined;
  }
}

function addOnce(key: PublicKey, signature: Signature): void {
  const isSame = (other: Signature): boolean =>
    equalBytes(other.hashedPart, signature.hashedPart) && equalBytes(other.material, signature.material);
  if (key.signatures.some(isSame)) return;
  if (key.signatures.length === MAX_SELF_SIGNATURES) {
    throw tooMany(`${MAX_SELF_SIGNATURES} signatures of a key over itself`);
  }
  key.signatures.push(signature);
}

function tooMany(what: string): BootsealError {
  return new BootsealError('openpgp/too-many-packets', `more than ${what}`);
}
