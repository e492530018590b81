/** The keys of a `sigstoreSigned` requirement, opened on first use. */
import { BootsealError, isBootsealError } from '../../errors.ts';
import { parsePublicKey, type SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import type { KeySource } from '../../formats/policy-json/policy.ts';
import type { KeyReader } from '../ports.ts';

export interface TrustedKey {
  readonly key: SigstorePublicKey;
  /** File name, or the policy member that holds it. */
  readonly source: string;
}

/**
 * All of them must load, even if the first would do: a key that someone believed to be trusted is not left out
 * silently. Throws `trust/key-unreadable`, with the peer's words.
 */
export async function loadKeys(source: KeySource, reader: KeyReader): Promise<readonly TrustedKey[]> {
  const files: { readonly bytes: Uint8Array; readonly source: string }[] = [];
  if (source.kind === 'paths') {
    for (const path of source.paths) files.push({ bytes: await reader.read(path), source: path });
  } else {
    for (const bytes of source.data) files.push({ bytes, source: `${source.member} in the policy` });
  }
  const keys = files.map((file, at) => parseNumbered(file.bytes, file.source, at + 1));
  if (keys.length === 0) {
    throw new BootsealError(
      'trust/key-unreadable',
      'Need at least one public key to verify the sigstore payload, but got 0',
    );
  }
  return keys;
}

function parseNumbered(bytes: Uint8Array, source: string, number: number): TrustedKey {
  try {
    return { key: parsePublicKey(bytes), source };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    throw new BootsealError('trust/key-unreadable', `parsing public key ${number}: ${error.message}`, {
      cause: error,
      where: source,
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
}
