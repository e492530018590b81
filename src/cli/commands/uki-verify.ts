/** `bootseal uki verify FILE`: would firmware with these certificates in db start it? */
import type { Verifier } from '../../formats/authenticode/verify-as.ts';
import { defineCommand, text, type Command } from '../command.ts';

interface Flags {
  readonly cert: readonly string[];
  readonly as?: Verifier;
}

const VERIFIERS: readonly Verifier[] = ['firmware', 'sbverify', 'osslsigncode'];

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
    as: {
      kind: 'parsed',
      parse: parseVerifier,
      optional: true,
      placeholder: 'VERIFIER',
      brief: `the verdict of another: ${VERIFIERS.join(', ')}`,
    },
  },
  args: [{ parse: text, placeholder: 'FILE', brief: 'PE file' }],
  async run(_context, flags, file) {
    const { verifyBootProgram } = await import('../../verify/verify-boot-program.ts');
    const { verdict, steps } = await verifyBootProgram({
      file,
      certificates: flags.cert,
      at: new Date(),
      ...(flags.as === undefined ? {} : { as: flags.as }),
    });
    const signer = verdict.signatures.find(({ accepted }) => accepted);
    return {
      ok: verdict.accepted,
      verdict: {
        word: verdict.accepted ? 'accepted' : 'refused',
        subject: flags.as === undefined ? file : `${file}  (as ${flags.as})`,
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

function parseVerifier(input: string): Verifier {
  const verifier = VERIFIERS.find((name) => name === input);
  if (verifier === undefined) throw new Error(`expected one of ${VERIFIERS.join(', ')}`);
  return verifier;
}
