/** Options of `copy` that sign what arrives. */
import type { FlagParametersForType } from '@stricli/core';
import type { CopySigner } from '../sign/copy.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import { text, usageError } from './command.ts';
import type { CliContext } from './context.ts';
import { signOptions, twoKeysOnePassphrase } from './sign-flags.ts';

export interface CopySignFlags {
  readonly signBySigstorePrivateKey?: string;
  readonly signBy?: string;
  readonly signPassphraseFile?: string;
  readonly signIdentity?: string;
}

const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;

export const copySignFlags: FlagParametersForType<CopySignFlags> = {
  signBySigstorePrivateKey: { ...file, brief: 'sign the copy with this sigstore key' },
  signBy: {
    ...file,
    placeholder: 'FINGERPRINT',
    brief: 'sign the copy with this key of your gpg: simple signing',
  },
  signPassphraseFile: { ...file, brief: 'its passphrase, on the first line' },
  signIdentity: { ...file, placeholder: 'NAME', brief: 'name to sign, instead of the destination’s own' },
};

/** Keys are opened and names settled before a blob is read. */
export async function copySigners(
  context: CliContext,
  flags: CopySignFlags,
  to: ImageName,
): Promise<CopySigner[]> {
  const { signBySigstorePrivateKey: keyFile, signBy: key, signPassphraseFile, signIdentity } = flags;
  const passphrase = { ...(signPassphraseFile !== undefined && { passphraseFile: signPassphraseFile }) };
  if (keyFile === undefined && key === undefined) {
    if (signIdentity === undefined && signPassphraseFile === undefined) return [];
    throw usageError(
      'nothing to sign with: give --sign-by-sigstore-private-key FILE or --sign-by FINGERPRINT',
    );
  }
  if (keyFile !== undefined && key !== undefined && signPassphraseFile !== undefined) {
    throw twoKeysOnePassphrase();
  }
  const { copyGpgSigner, copySigner } = await import('../sign/copy-signer.ts');
  const signers: CopySigner[] = [];
  if (keyFile !== undefined) {
    const ask = (question: string): Promise<string> => context.askSecret(question);
    signers.push(await copySigner(to, { keyFile, ...passphrase }, signIdentity, ask));
  }
  if (key !== undefined) {
    const { env, signal } = context;
    const ports = { env, signal, options: signOptions(context) };
    signers.push(await copyGpgSigner(to, { key, ...passphrase }, signIdentity, ports));
  }
  return signers;
}
