/** Simple signing with a key of the user's `gpg`: the payload is ours, the signature is gpg's, and it is checked here. */
import { BootsealError } from '../errors.ts';
import { equalBytes } from '../bytes/bytes.ts';
import type { RawSignature } from '../formats/cosign/signature.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { openKeyring, parseKeyring, verifyMessage, type Keyring } from '../formats/openpgp/index.ts';
import { encodeSimplePayload, parseSimplePayload } from '../formats/simple-signing/payload.ts';
import { exportPublicKeys, signMessage } from '../stores/keys/gpg.ts';
import { readPassphraseFile } from './private-key-file.ts';
import type { SignOptions } from './sign-manifest.ts';

export interface GpgKeyRequest {
  /** Fingerprint, key ID or user ID, as gpg takes it. */
  readonly key: string;
  /** First line, without its newline. Left out, gpg-agent asks. */
  readonly passphraseFile?: string;
}

export interface GpgKey {
  /** Of the primary key, upper-case. */
  readonly fingerprint: string;
  /** The public key alone. */
  readonly keyring: Keyring;
  sign(content: Uint8Array): Promise<Uint8Array>;
}

export interface GpgPorts {
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** Throws `gpg/no-such-key`, `gpg/ambiguous-key`, `gpg/missing`, `key/unreadable`. Asks for nothing yet. */
export async function openGpgKey(request: GpgKeyRequest, ports: GpgPorts = {}): Promise<GpgKey> {
  const { key, passphraseFile } = request;
  const publicKeys = parseKeyring(await exportPublicKeys(key, ports));
  const [publicKey, second] = publicKeys;
  if (publicKey === undefined) {
    throw new BootsealError('gpg/no-such-key', `gpg knows no key ${JSON.stringify(key)}`, {
      exit: 2,
      hint: 'list its keys: gpg --list-secret-keys',
    });
  }
  if (second !== undefined) {
    throw new BootsealError(
      'gpg/ambiguous-key',
      `${publicKeys.length} keys are called ${JSON.stringify(key)}`,
      {
        exit: 2,
        hint: `name one by its fingerprint: ${publicKey.fingerprint}`,
      },
    );
  }
  const passphrase = passphraseFile === undefined ? undefined : await readPassphraseFile(passphraseFile);
  return {
    fingerprint: publicKey.fingerprint,
    keyring: await openKeyring([publicKey]),
    sign: (content) => signMessage(content, key, { ...ports, ...(passphrase && { passphrase }) }),
  };
}

/**
 * A signature over this digest under this name, exactly as written. Throws `gpg/…`, and `sign/self-check` when what gpg
 * made would not be accepted.
 */
export async function signSimple(
  digest: Digest,
  reference: string,
  key: GpgKey,
  options: SignOptions = {},
): Promise<Uint8Array> {
  const payload = encodeSimplePayload({ manifestDigest: digest, dockerReference: reference, ...options });
  const bytes = await key.sign(payload);
  const verdict = await verifyMessage(bytes, key.keyring, Date.now() / 1000);
  if (verdict.valid && equalBytes(verdict.content, payload)) return bytes;
  throw new BootsealError(
    'sign/self-check',
    `what gpg made would be refused: ${verdict.valid ? 'it holds another text' : verdict.message}`,
    { hint: 'check the settings in gpg.conf, and the key: gpg --list-keys' },
  );
}

/** By this key, over this digest, under exactly this name. */
export async function isSimpleSignatureOf(
  signature: RawSignature,
  key: GpgKey,
  digest: Digest,
  reference: string,
): Promise<boolean> {
  if (signature.kind !== 'simple-signing') return false;
  const verdict = await verifyMessage(signature.bytes, key.keyring, Date.now() / 1000);
  if (!verdict.valid) return false;
  try {
    const { manifestDigest, dockerReference } = parseSimplePayload(verdict.content);
    return manifestDigest === digest && dockerReference === reference;
  } catch {
    // Ours says something else, then.
    return false;
  }
}
