/** `bootseal uki build`: ukify's options. Nothing is taken from this machine: no os-release, no stub, no hwids. */
import { escapeText } from '../../bytes/printable.ts';
import { MACHINES, type EfiArchitecture } from '../../formats/pe/format.ts';
import { defineCommand, text, usageError, type Command } from '../command.ts';
import { readSecureBootKey } from '../secure-boot-key.ts';

type Values = readonly string[];

/** Lists, because scripts give an option twice and the last one counts, as with ukify. */
interface Flags {
  readonly linux?: Values;
  readonly initrd?: Values;
  readonly cmdline?: Values;
  readonly osRelease?: Values;
  readonly uname?: Values;
  readonly stub?: Values;
  readonly sbat?: Values;
  readonly microcode?: Values;
  readonly splash?: Values;
  readonly devicetree?: Values;
  readonly devicetreeAuto?: Values;
  readonly hwids?: Values;
  readonly efifw?: Values;
  readonly section?: Values;
  readonly profile?: Values;
  readonly joinProfile?: Values;
  readonly pcrpkey?: Values;
  readonly efiArch?: Values;
  readonly output?: Values;
  readonly signtool?: Values;
  readonly securebootPrivateKey?: Values;
  readonly securebootCertificate?: Values;
  readonly passphraseFile?: Values;
  readonly signKernel?: boolean;
}

/** Taken as it is; an empty text means "none". */
const verbatim = (input: string): string => input;
const list = (placeholder: string, brief: string, parse = text) =>
  ({ kind: 'parsed', parse, optional: true, variadic: true, placeholder, brief }) as const;

export const command: Command = defineCommand<Flags, []>({
  description:
    'Puts a kernel, initrds and the rest behind an EFI stub, byte for byte as ukify 262 does. TEXT may be @FILE. Unlike ' +
    "ukify it takes nothing from this machine: give --stub and, for a UKI, the image's own --os-release.",
  flags: {
    linux: list('FILE', 'kernel; without one an addon is built'),
    initrd: list('FILE', 'initrd; several are joined'),
    cmdline: list('TEXT', 'kernel command line', verbatim),
    osRelease: list('TEXT', 'os-release', verbatim),
    uname: list('TEXT', 'kernel version; default: read from the kernel', verbatim),
    stub: list('FILE', 'linux<arch>.efi.stub, or addon<arch>.efi.stub'),
    sbat: list('TEXT', 'SBAT lines to add', verbatim),
    microcode: list('FILE', 'microcode initrd'),
    splash: list('FILE', 'BMP image'),
    devicetree: list('FILE', 'device tree'),
    devicetreeAuto: list('FILE', 'device tree to choose by hardware; may be repeated'),
    hwids: list('DIR', 'must be empty: hardware ids are not supported', verbatim),
    efifw: list('DIR', 'directory with one firmware image'),
    section: list('NAME:TEXT', 'further section'),
    profile: list('TEXT', 'profile description', verbatim),
    joinProfile: list('FILE', 'profile to join'),
    pcrpkey: list('FILE', 'public key of PCR signatures'),
    efiArch: list('ARCH', `what the stub must be for: ${Object.keys(MACHINES).join(', ')}`),
    output: list('FILE', 'default: <linux>.efi, or <linux>.unsigned.efi'),
    signtool: list('NAME', 'accepted for scripts; bootseal always signs by itself'),
    securebootPrivateKey: list('FILE', 'sign with this RSA key'),
    securebootCertificate: list('FILE', 'certificate of that key'),
    passphraseFile: list('FILE', 'passphrase of the key: first line'),
    signKernel: { kind: 'boolean', optional: true, brief: 'also sign the kernel inside' },
  },
  aliases: { o: 'output' },
  args: [],
  async run(context, flags) {
    const { buildUkiFile } = await import('../../seal/uki-file.ts');
    const stub = last(flags.stub);
    if (stub === undefined) throw usageError('--stub is needed', "give the image's linux<arch>.efi.stub");
    if ((last(flags.hwids) ?? '') !== '') throw usageError('--hwids is not supported: only --hwids= is');
    const keyFile = last(flags.securebootPrivateKey);
    const certificate = last(flags.securebootCertificate);
    if ((keyFile === undefined) !== (certificate === undefined)) {
      throw usageError('--secureboot-private-key and --secureboot-certificate belong together');
    }
    const passphraseFile = last(flags.passphraseFile);
    const key =
      keyFile === undefined || certificate === undefined
        ? undefined
        : await readSecureBootKey(context, {
            key: keyFile,
            cert: certificate,
            ...optional({ passphraseFile }),
          });
    const linux = last(flags.linux);
    const output = last(flags.output) ?? (linux && `${linux}${key === undefined ? '.unsigned' : ''}.efi`);
    if (output === undefined) throw usageError('--output is needed without --linux');
    const { initrd, sbat, devicetreeAuto, efifw, section, joinProfile, signKernel } = flags;
    const result = await buildUkiFile({
      stub,
      output,
      warn: (message) => context.note(message),
      ...optional({ linux, key, initrd, sbat, devicetreeAuto, efifw, section, joinProfile, signKernel }),
      ...optional({
        cmdline: last(flags.cmdline),
        osRelease: last(flags.osRelease),
        uname: last(flags.uname),
      }),
      ...optional({
        microcode: last(flags.microcode),
        splash: last(flags.splash),
        profile: last(flags.profile),
      }),
      ...optional({ devicetree: last(flags.devicetree), pcrpkey: last(flags.pcrpkey) }),
      ...optional({ architecture: architectureOf(last(flags.efiArch)) }),
    });
    const signed = result.signedBy === undefined ? 'unsigned' : 'signed';
    return { ok: true, text: `Wrote ${signed} ${escapeText(result.output)}`, json: { ...result } };
  },
});

function last(values: Values | undefined): string | undefined {
  return values?.at(-1);
}

/** Without the members that are undefined. */
function optional<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}

function architectureOf(name: string | undefined): EfiArchitecture | undefined {
  if (name === undefined || name in MACHINES) return name as EfiArchitecture | undefined;
  throw usageError(`--efi-arch ${JSON.stringify(name)}: expected one of ${Object.keys(MACHINES).join(', ')}`);
}
