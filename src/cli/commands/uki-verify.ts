/** `bootseal uki verify FILE`: would firmware with these certificates in db start it? */
import { defineCommand, text, type Command } from '../command.ts';

interface Flags {
  readonly cert: readonly string[];
}

export const command: Command = defineCommand<Flags, [file: string]>({
  description:
    'Checks the Secure Boot signatures of a PE file against certificates, as firmware would with these in db, and refuses ' +
    'besides whatever tools read in different ways. An expired certificate is a warning: firmware has no clock to trust.',
  flags: {
    cert: {
      kind: 'parsed',
      parse: text,
      variadic: true,
      placeholder: 'FILE',
      brief: 'trusted certificates, PEM or DER',
    },
  },
  args: [{ parse: text, placeholder: 'FILE', brief: 'PE file' }],
  async run(_context, flags, file) {
    const { verifyBootProgram } = await import('../../verify/verify-boot-program.ts');
    const { verdict, steps } = await verifyBootProgram({ file, certificates: flags.cert, at: new Date() });
    const signer = verdict.signatures.find(({ accepted }) => accepted);
    return {
      ok: verdict.accepted,
      verdict: {
        word: verdict.accepted ? 'accepted' : 'refused',
        subject: file,
        ...(verdict.accepted ? {} : { reason: verdict.reasons[0]?.message ?? 'no signature is trusted' }),
        facts: [
          ...(signer === undefined ? [] : [{ label: 'signed by', value: signer.chain.join(' ← ') }]),
          ...(verdict.authenticodeSha256 === undefined
            ? []
            : [{ label: 'hash', value: `sha256:${verdict.authenticodeSha256}  (Authenticode)` }]),
        ],
      },
      steps,
      json: { file, ...verdict },
    };
  },
});
