/** `PREFIX.private` and `PREFIX.pub`, as `skopeo generate-sigstore-key` makes them: ECDSA P-256, encrypted. */
import { generateKeyPairSync } from 'node:crypto';
import { access, rm } from 'node:fs/promises';
import { encodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { encryptPrivateKey } from '../formats/cosign/private-key.ts';
import { encodePublicKey, publicKeyFromSpki } from '../formats/cosign/public-key.ts';
import { writeFileAtomic } from '../stores/atomic-write.ts';

export interface GenerateKeyRequest {
  readonly outputPrefix: string;
  /** May be empty. */
  readonly passphrase: Uint8Array;
}

export interface GeneratedKey {
  readonly privateKeyFile: string;
  readonly publicKeyFile: string;
  readonly fingerprint: string;
}

/** Writes both files or neither; never over existing ones. Throws `key/exists`, `file/cannot-write`. */
export async function generateSigstoreKey(request: GenerateKeyRequest): Promise<GeneratedKey> {
  const privateKeyFile = `${request.outputPrefix}.private`;
  const publicKeyFile = `${request.outputPrefix}.pub`;
  for (const path of [privateKeyFile, publicKeyFile]) await refuseExisting(path);
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = publicKeyFromSpki(pair.publicKey.export({ type: 'spki', format: 'der' }));
  const encrypted = encryptPrivateKey(pair.privateKey, request.passphrase);
  await writeNew(privateKeyFile, encrypted, 0o600);
  try {
    await writeNew(publicKeyFile, encodePublicKey(publicKey), 0o644);
  } catch (error) {
    await rm(privateKeyFile, { force: true });
    throw error;
  }
  return { privateKeyFile, publicKeyFile, fingerprint: publicKey.fingerprint };
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
