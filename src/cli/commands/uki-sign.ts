/** `bootseal uki sign FILE`: sbsign's options. */
import { escapeText } from '../../bytes/printable.ts';
import { defineCommand, text, type Command } from '../command.ts';
import { readSecureBootKey } from '../secure-boot-key.ts';

interface Flags {
  readonly key: string;
  readonly cert: string;
  readonly addcert?: readonly string[];
  readonly output?: string;
  readonly passphraseFile?: string;
  readonly signingTime: boolean;
  readonly anyProgram: boolean;
}

export const command: Command = defineCommand<Flags, [file: string]>({
  description:
    'Adds a signature for Secure Boot to a UKI, an addon, systemd-boot or a stub. Signatures that are there already are ' +
    'kept. The result depends on nothing but file, key and certificate, unless --signing-time is given.',
  flags: {
    key: { kind: 'parsed', parse: text, placeholder: 'FILE', brief: 'private RSA key, PEM' },
    cert: {
      kind: 'parsed',
      parse: text,
      placeholder: 'FILE',
      brief: 'its certificate; further ones in the file are added',
    },
    addcert: {
      kind: 'parsed',
      parse: text,
      optional: true,
      variadic: true,
      placeholder: 'FILE',
      brief: 'intermediate certificates to embed',
    },
    output: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'default: FILE.signed',
    },
    passphraseFile: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'passphrase of the key: first line',
    },
    signingTime: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'record the time: SOURCE_DATE_EPOCH, else now',
    },
    anyProgram: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'also sign programs that may start anything',
    },
  },
  aliases: { o: 'output' },
  args: [{ parse: text, placeholder: 'FILE', brief: 'PE file to sign' }],
  async run(context, flags, file) {
    const { signBootProgram } = await import('../../seal/sign-boot-program.ts');
    const key = await readSecureBootKey(context, flags);
    const result = await signBootProgram({
      ...key,
      input: file,
      output: flags.output ?? `${file}.signed`,
      anyProgram: flags.anyProgram,
      ...(flags.signingTime ? { signingTime: signingTimeOf(context.env) } : {}),
    });
    if (result.testKey) context.note('the certificate says that its key is for tests: do not ship this');
    return {
      ok: true,
      text: `signed  ${escapeText(result.output)}  by ${escapeText(result.signedBy)}`,
      json: { ...result },
    };
  },
});

function signingTimeOf(env: NodeJS.ProcessEnv): Date {
  const epoch = env['SOURCE_DATE_EPOCH'];
  return epoch !== undefined && /^\d{1,12}$/.test(epoch) ? new Date(Number(epoch) * 1000) : new Date();
}
