/**
 * Public keys as files have them → one entry per primary key, with everything said about it still unjudged. Taken in
 * and left out as GnuPG does when it imports: what makes it drop a whole file makes us drop it.
 */
import { createHash } from 'node:crypto';
import { isBootsealError, BootsealError } from '../../errors.ts';
import { encodeHex } from '../../bytes/hex.ts';
import { isArmored, readArmoredKeys } from './armor.ts';
import { hashedKey } from './crypto.ts';
import { MAX_KEYRING_PACKETS, MAX_KEYRING_SIZE, MAX_SELF_SIGNATURES, TAGS } from './format.ts';
import { readPackets, type Packet } from './packets.ts';
import { namesKey, parseSignature, type Signature } from './signature.ts';

/** A user ID, user attribute or subkey, with the signatures of the primary key over it. */
export interface Component {
  readonly tag: number;
  readonly body: Uint8Array;
  readonly signatures: Signature[];
}

export interface PublicKey {
  /** Of the primary key: 40 upper-case hexadecimal digits. */
  readonly fingerprint: string;
  readonly body: Uint8Array;
  /** Signatures over the primary key itself, by it or by others. */
  readonly signatures: Signature[];
  readonly components: Component[];
}

/**
 * The keys of one file: binary, or armored with text around it and several blocks. A file that holds no key gives
 * none, without an error, since GnuPG imports nothing from it and goes on. Throws only `openpgp/secret-key` and
 * `openpgp/too-large`.
 */
export function parseKeyring(bytes: Uint8Array): PublicKey[] {
  if (bytes.length > MAX_KEYRING_SIZE) {
    throw new BootsealError(
      'openpgp/too-large',
      `keyring of ${bytes.length} bytes exceeds ${MAX_KEYRING_SIZE}`,
    );
  }
  try {
    const blobs = isArmored(bytes) ? readArmoredKeys(bytes) : [bytes];
    return mergeKeys(blobs.flatMap((blob) => collectKeys(readPackets(blob, MAX_KEYRING_PACKETS))));
  } catch (error) {
    if (!isBootsealError(error) || error.code === 'openpgp/secret-key') throw error;
    return [];
  }
}

/** Everything that any copy of a key says, so that one that tells of a revocation cannot be outdone by one that does not. */
export function mergeKeys(keys: readonly PublicKey[]): PublicKey[] {
  const merged = new Map<string, PublicKey>();
  for (const key of keys) {
    const known = merged.get(key.fingerprint);
    if (known === undefined) {
      merged.set(key.fingerprint, key);
      continue;
    }
    known.signatures.push(...key.signatures);
    for (const component of key.components) {
      const same = known.components.find(
        ({ tag, body }) => tag === component.tag && Buffer.compare(body, component.body) === 0,
      );
      if (same === undefined) known.components.push(component);
      else same.signatures.push(...component.signatures);
    }
  }
  return [...merged.values()];
}

export function fingerprintOf(body: Uint8Array): string {
  // SHA-1, because that is what names a key of version 4.
  return encodeHex(createHash('sha1').update(hashedKey(body)).digest()).toUpperCase();
}

function collectKeys(packets: readonly Packet[]): PublicKey[] {
  const keys: PublicKey[] = [];
  let key: PublicKey | undefined;
  let about: Signature[] | undefined;
  for (const { tag, body, offset } of packets) {
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
        about = key?.signatures;
        if (key !== undefined) keys.push(key);
        break;
      case TAGS.userId:
      case TAGS.userAttribute:
      case TAGS.publicSubkey: {
        const component: Component = { tag, body, signatures: [] };
        about = component.signatures;
        if (tag !== TAGS.publicSubkey || body[0] === 4) key?.components.push(component);
        break;
      }
      case TAGS.signature:
        if (key !== undefined && about !== undefined) addSignature(key, about, body);
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
  return { fingerprint: fingerprintOf(body), body, signatures: [], components: [] };
}

/** Other people's certifications are left out, but not the word of a key that may revoke this one. */
function addSignature(key: PublicKey, about: Signature[], body: Uint8Array): void {
  let signature: Signature;
  try {
    signature = parseSignature(body);
  } catch {
    // One that cannot be read says nothing.
    return;
  }
  if (about !== key.signatures && !namesKey(signature, key.fingerprint)) return;
  if (about.length >= MAX_SELF_SIGNATURES) {
    throw new BootsealError(
      'openpgp/too-many-packets',
      `more than ${MAX_SELF_SIGNATURES} signatures over one part of a key`,
    );
  }
  about.push(signature);
}
