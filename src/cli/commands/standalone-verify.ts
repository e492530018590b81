/** `standalone-verify MANIFEST REFERENCE FINGERPRINTS SIGNATURE`: a simple signature against a manifest file. */
import { escapeText } from '../../bytes/printable.ts';
import { defineCommand, text, type Command } from '../command.ts';
import { BootsealError } from '../../errors.ts';

interface Flags {
  readonly publicKeyFile?: string;
}

type Args = [manifest: string, reference: string, fingerprints: string, signature: string];

export const command: Command = defineCommand<Flags, Args>({
  description:
    'Checks a signature file as skopeo standalone-verify does, without a policy. Fingerprints are written in full and ' +
    'in capitals, separated by commas; that of the primary key or that of a subkey. `any` accepts every key of the ' +
    'file. The names must be equal; none is given a tag that it does not have.',
  flags: {
    publicKeyFile: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'public keys, armored or not, instead of those of your gpg',
    },
  },
  args: [
    { parse: text, placeholder: 'MANIFEST', brief: 'file with the manifest' },
    { parse: text, placeholder: 'REFERENCE', brief: 'name that must be signed' },
    { parse: String, placeholder: 'FINGERPRINTS', brief: 'keys of which one must have signed' },
    { parse: text, placeholder: 'SIGNATURE', brief: 'file with the signature' },
  ],
  async run({ env, signal }, { publicKeyFile }, manifestFile, reference, fingerprints, signatureFile) {
    const { verifyStandalone } = await import('../../verify/standalone.ts');
    const verdict = await verifyStandalone(
      {
        manifestFile,
        reference,
        fingerprints,
        signatureFile,
        ...(publicKeyFile !== undefined && { publicKeyFile }),
      },
      { env, signal },
    );
    if (!verdict.accepted) {
      throw new BootsealError(verdict.code, `Error verifying signature: ${verdict.message}`, {
        exit: 1,
        where: signatureFile,
        hint: `what it claims: bootseal untrusted-signature-dump-without-verification ${signatureFile}`,
      });
    }
    const { fingerprint, digest } = verdict;
    return {
      ok: true,
      text: escapeText(`Signature verified using fingerprint ${fingerprint}, digest ${digest}`),
      json: { reference, keyFingerprint: fingerprint, digest },
    };
  },
});
