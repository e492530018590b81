/** The files that a `sigstoreSigned` requirement names, and the public keys in them. */
import { BootsealError, isBootsealError } from '../../errors.ts';
import { parsePublicKey, type SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import type { KeySource } from '../../formats/policy-json/policy.ts';
import type { KeyReader } from '../ports.ts';

export interface TrustedKey {
  readonly key: SigstorePublicKey;
  /** File name, or the policy member that holds it. */
  readonly source: string;
}

export interface TrustFile {
  readonly bytes: Uint8Array;
  readonly source: string;
}

export async function readTrustFiles(
  source: KeySource,
  reader: KeyReader,
  maxSize?: number,
): Promise<readonly TrustFile[]> {
  if (source.kind === 'data')
    return source.data.map((bytes) => ({ bytes, source: `${source.member} in the policy` }));
  const files: TrustFile[] = [];
  for (const path of source.paths) files.push({ bytes: await reader.read(path, maxSize), source: path });
  return files;
}

/**
 * All of them must load, even if the first would do: a key that someone believed to be trusted is not left out
 * silently. Throws `trust/key-unreadable`, with the peer's words.
 */
export async function loadKeys(source: KeySource, reader: KeyReader): Promise<readonly TrustedKey[]> {
  return parseKeys(await readTrustFiles(source, reader));
}

/** Throws as {@link loadKeys} does. */
export function parseKeys(files: readonly TrustFile[]): readonly TrustedKey[] {
  const keys = files.map((file, at) => {
    return { key: parseTrustedKey(file, `parsing public key ${at + 1}`), source: file.source };
  });
  if (keys.length === 0) {
    throw new BootsealError(
      'trust/key-unreadable',
      'Need at least one public key to verify the sigstore payload, but got 0',
    );
  }
  return keys;
}

export function parseTrustedKey({ bytes, source }: TrustFile, prefix: string): SigstorePublicKey {
  try {
    return parsePublicKey(bytes);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    throw new BootsealError('trust/key-unreadable', `${prefix}: ${error.message}`, {
      cause: error,
      where: source,
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
}
