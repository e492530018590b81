/** The keyring of a `signedBy` requirement, opened on first use. */
import { createHash } from 'node:crypto';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { MAX_KEYRING_SIZE } from '../../formats/openpgp/format.ts';
import {
  openKeyringFiles,
  readKeyringFile,
  type Keyring,
  type KeyringFile,
} from '../../formats/openpgp/index.ts';
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
  // The signatures that hold a key together need checking once, not for each of a hundred images.
  const hash = createHash('sha256');
  for (const file of files)
    hash.update(`${file.source.length} ${file.bytes.length} ${file.source}`).update(file.bytes);
  const name = hash.digest('base64');
  const known = opened.get(name);
  if (known !== undefined) return known;
  const keyring = openFiles(files);
  if (opened.size === MAX_OPENED) opened.clear();
  opened.set(name, keyring);
  return keyring;
}

/** By what is in the files, so that a changed one is another. Nothing in them depends on the time. */
const opened = new Map<string, Promise<TrustedKeyring>>();
const MAX_OPENED = 64;

async function openFiles(
  files: readonly { readonly bytes: Uint8Array; readonly source: string }[],
): Promise<TrustedKeyring> {
  const sources = new Map<string, string>();
  const rings = files.map((file) => {
    const found = parseNamed(file.bytes, file.source);
    for (const { fingerprint } of found.keys) {
      if (!sources.has(fingerprint)) sources.set(fingerprint, file.source);
    }
    return found;
  });
  const keyring = await openKeyringFiles(rings);
  if (keyring.keys.length === 0) {
    throw new BootsealError('trust/key-unreadable', 'No public keys imported', {
      hint: 'export the public key once more: gpg --export FINGERPRINT > FILE',
    });
  }
  return { ...keyring, sources };
}

function parseNamed(bytes: Uint8Array, source: string): KeyringFile {
  try {
    return readKeyringFile(bytes);
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
