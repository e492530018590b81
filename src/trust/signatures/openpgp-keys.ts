/** The keyring of a `signedBy` requirement, opened on first use. */
import { BootsealError, isBootsealError } from '../../errors.ts';
import { MAX_KEYRING_SIZE } from '../../formats/openpgp/format.ts';
import { mergeKeys, openKeyring, parseKeyring, type Keyring } from '../../formats/openpgp/index.ts';
import type { KeySource } from '../../formats/policy-json/policy.ts';
import type { KeyReader } from '../ports.ts';

export interface TrustedKeyring extends Keyring {
  /** Where the key with a fingerprint came from: a file name, or the policy member that holds it. */
  readonly sources: ReadonlyMap<string, string>;
}

/**
 * Every file must be readable; one that holds no key gives none. Throws `trust/key-unreadable` with the peer's words,
 * and `trust/secret-key` where a secret key was given, which the peer would import.
 */
export async function loadKeyring(source: KeySource, reader: KeyReader): Promise<TrustedKeyring> {
  const files: { readonly bytes: Uint8Array; readonly source: string }[] = [];
  if (source.kind === 'paths') {
    for (const path of source.paths) {
      files.push({ bytes: await reader.read(path, MAX_KEYRING_SIZE), source: path });
    }
  } else {
    for (const bytes of source.data) files.push({ bytes, source: `${source.member} in the policy` });
  }
  const sources = new Map<string, string>();
  const keys = files.flatMap((file) => {
    const found = parseNamed(file.bytes, file.source);
    for (const { fingerprint } of found) {
      if (!sources.has(fingerprint)) sources.set(fingerprint, file.source);
    }
    return found;
  });
  const keyring = await openKeyring(mergeKeys(keys));
  if (keyring.keys.length === 0) {
    throw new BootsealError('trust/key-unreadable', 'No public keys imported', {
      hint: 'export the public key once more: gpg --export FINGERPRINT > FILE',
    });
  }
  return { ...keyring, sources };
}

function parseNamed(bytes: Uint8Array, source: string): ReturnType<typeof parseKeyring> {
  try {
    return parseKeyring(bytes);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const code = error.code === 'openpgp/secret-key' ? 'trust/secret-key' : 'trust/key-unreadable';
    throw new BootsealError(code, `${source}: ${error.message}`, {
      cause: error,
      where: source,
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
}
