/** The key and the certificates that several commands sign boot programs with. */
import type { Signer } from '../formats/authenticode/ports.ts';
import type { CliContext } from './context.ts';

export interface SecureBootKeyFlags {
  readonly key: string;
  readonly cert: string;
  readonly addcert?: readonly string[];
  readonly passphraseFile?: string;
}

export interface SecureBootKeyFiles {
  readonly signer: Signer;
  /** DER, the signer's own first. */
  readonly certificates: readonly Uint8Array[];
}

/** Reads the files; asks for the passphrase at the terminal when the key needs one and no file holds it. */
export async function readSecureBootKey(
  context: CliContext,
  flags: SecureBootKeyFlags,
): Promise<SecureBootKeyFiles> {
  const { readCertificates } = await import('../stores/keys/certificates.ts');
  const { isEncryptedKey, readSigningKey } = await import('../stores/keys/signing-key.ts');
  const certificates = await readCertificates(flags.cert);
  for (const file of flags.addcert ?? []) certificates.push(...(await readCertificates(file)));
  const signer = await readSigningKey(flags.key, await passphrase());
  return { signer, certificates };

  async function passphrase(): Promise<string | Uint8Array | undefined> {
    if (flags.passphraseFile !== undefined) {
      const { readPassphraseFile } = await import('../sign/private-key-file.ts');
      return readPassphraseFile(flags.passphraseFile);
    }
    return (await isEncryptedKey(flags.key))
      ? context.askSecret(`Passphrase for key ${flags.key}: `)
      : undefined;
  }
}
