/** `standalone-sign MANIFEST REFERENCE FINGERPRINT`: a simple signature of a manifest file. */
import { defineCommand, text, type Command } from '../command.ts';
import { signOptions } from '../sign-flags.ts';

interface Flags {
  readonly output: string;
  readonly passphraseFile?: string;
}

const file = { kind: 'parsed', parse: text, placeholder: 'FILE' } as const;

export const command: Command = defineCommand<Flags, [manifest: string, reference: string, key: string]>({
  description:
    'Signs the digest of a manifest file under a name with a key of your gpg, as skopeo standalone-sign does. The name ' +
    'is signed as it is given. Of an image in a registry, sign with `bootseal sign --sign-by`.',
  aliases: { o: 'output' },
  flags: {
    output: { ...file, brief: 'where the signature is written' },
    passphraseFile: { ...file, optional: true, brief: 'the passphrase of the key, on the first line' },
  },
  args: [
    { parse: text, placeholder: 'MANIFEST', brief: 'file with the manifest' },
    { parse: text, placeholder: 'REFERENCE', brief: 'name to sign: HOST/PATH:TAG' },
    { parse: text, placeholder: 'FINGERPRINT', brief: 'key of your gpg' },
  ],
  async run(context, flags, manifestFile, reference, key) {
    const { signStandalone } = await import('../../sign/standalone.ts');
    const { output, passphraseFile } = flags;
    const { env, signal } = context;
    const options = signOptions(context);
    const { digest, fingerprint } = await signStandalone(
      {
        manifestFile,
        reference,
        key,
        output,
        options,
        ...(passphraseFile !== undefined && { passphraseFile }),
      },
      { env, signal },
    );
    return {
      ok: true,
      verdict: {
        word: 'signed',
        subject: `${reference}  ${digest}`,
        facts: [{ label: 'key', value: fingerprint }],
      },
      json: { reference, digest, keyFingerprint: fingerprint, output },
    };
  },
});
