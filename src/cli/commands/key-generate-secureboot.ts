/** `bootseal key generate secureboot DIR`: PK, KEK and db. */
import { escapeText } from '../../bytes/printable.ts';
import { defineCommand, text, type Command } from '../command.ts';

type Bits = 2048 | 3072 | 4096;

interface Flags {
  readonly name: string;
  readonly bits: Bits;
  readonly days: number;
  readonly owner?: string;
}

export const command: Command = defineCommand<Flags, [directory: string]>({
  description:
    'Makes the keys of Secure Boot in a directory: PK owns the machine, KEK may change the lists, db signs what boots. ' +
    'Each comes as NAME.key (PEM, mode 0600), NAME.crt (PEM), NAME.cer (DER), NAME.esl and NAME.auth; systemd-boot enrols ' +
    'the .auth files from loader/keys/NAME on the ESP. Existing files are never overwritten.',
  flags: {
    name: {
      kind: 'parsed',
      parse: text,
      default: 'Secure Boot',
      placeholder: 'NAME',
      brief: 'whose keys: starts the common names',
    },
    bits: {
      kind: 'parsed',
      parse: parseBits,
      default: '3072',
      placeholder: 'BITS',
      brief: '2048, 3072 or 4096',
    },
    days: {
      kind: 'parsed',
      parse: parseDays,
      default: '3650',
      placeholder: 'DAYS',
      brief: 'validity of the certificates',
    },
    owner: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'GUID',
      brief: 'owner in the lists; random by default',
    },
  },
  args: [{ parse: text, placeholder: 'DIR', brief: 'where to write; made when missing' }],
  async run(context, flags, directory) {
    const { generateSecureBootKeys } = await import('../../sign/secureboot-keys.ts');
    const { owner, name, bits, days } = flags;
    const result = await generateSecureBootKeys({
      directory,
      name,
      bits,
      days,
      ...(owner === undefined ? {} : { owner }),
    });
    context.note(
      `keep ${directory}/PK.key and ${directory}/KEK.key offline: signing images needs db.key only`,
    );
    return {
      ok: true,
      text: [
        `wrote ${escapeText(directory)}`,
        ...result.keys.map(
          ({ role, subject, fingerprintSha256 }) =>
            `  ${role.padEnd(4)} ${escapeText(subject)}  SHA256:${fingerprintSha256}`,
        ),
        `  owner GUID ${result.owner}`,
      ].join('\n'),
      json: { ...result },
    };
  },
});

function parseBits(input: string): Bits {
  const bits = ([2048, 3072, 4096] as const).find((candidate) => String(candidate) === input);
  if (bits === undefined) throw new Error('2048, 3072 or 4096; firmware takes no other');
  return bits;
}

function parseDays(input: string): number {
  const days = Number(input);
  if (!/^[1-9]\d{0,4}$/.test(input)) throw new Error('expected a number of days from 1 to 99999');
  return days;
}
