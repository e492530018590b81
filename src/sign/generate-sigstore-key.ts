/** `PREFIX.private` and `PREFIX.pub`, as `skopeo generate-sigstore-key` makes them: encrypted; ECDSA P-256 unless asked. */
import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { access, rm } from 'node:fs/promises';
import { encodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { encryptPrivateKey } from '../formats/cosign/private-key.ts';
import { portableKeyStep } from './portable-key.ts';
import { encodePublicKey, publicKeyFromSpki } from '../formats/cosign/public-key.ts';
import type { Step } from '../steps.ts';
import { writeFileAtomic } from '../stores/atomic-write.ts';

export interface GenerateKeyRequest {
  readonly outputPrefix: string;
  /** May be empty. */
  readonly passphrase: Uint8Array;
  /** Default: `p256`, the one that every tool signs and verifies with in the same way. */
  readonly keyType?: KeyType;
}

export interface GeneratedKey {
  readonly privateKeyFile: string;
  readonly publicKeyFile: string;
  readonly fingerprint: string;
  readonly keyType: KeyType;
  /** A warning where tools do not sign alike with it. */
  readonly steps: readonly Step[];
}

/** What containers/image verifies with. */
export const KEY_TYPES = ['p256', 'p384', 'p521', 'rsa2048', 'rsa4096', 'ed25519'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

function generatePair(keyType: KeyType): KeyPairKeyObjectResult {
  switch (keyType) {
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'p521':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' });
    case 'rsa2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'rsa4096':
      return generateKeyPairSync('rsa', { modulusLength: 4096 });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    case 'p256':
    default:
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  }
}

/** Writes both files or neither; never over existing ones. Throws `key/exists`, `file/cannot-write`. */
export async function generateSigstoreKey(request: GenerateKeyRequest): Promise<GeneratedKey> {
  const privateKeyFile = `${request.outputPrefix}.private`;
  const publicKeyFile = `${request.outputPrefix}.pub`;
  for (const path of [privateKeyFile, publicKeyFile]) await refuseExisting(path);
  const { keyType = 'p256' } = request;
  const pair = generatePair(keyType);
  const publicKey = publicKeyFromSpki(pair.publicKey.export({ type: 'spki', format: 'der' }));
  const encrypted = encryptPrivateKey(pair.privateKey, request.passphrase);
  await writeNew(privateKeyFile, encrypted, 0o600);
  try {
    await writeNew(publicKeyFile, encodePublicKey(publicKey), 0o644);
  } catch (error) {
    await rm(privateKeyFile, { force: true });
    throw error;
  }
  const steps = portableKeyStep(publicKey);
  return { privateKeyFile, publicKeyFile, fingerprint: publicKey.fingerprint, keyType, steps };
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  await writeFileAtomic(path, [encodeUtf8(text)], { mode, overwrite: false });
}

async function refuseExisting(path: string): Promise<void> {
  try {
    await access(path);
  } catch {
    return;
  }
  throw new BootsealError('key/exists', `Refusing to overwrite existing ${JSON.stringify(path)}`, {
    exit: 2,
    hint: 'choose another --output-prefix; a lost private key cannot be made again',
  });
}
