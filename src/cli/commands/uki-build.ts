/** `bootseal uki build`: ukify's options. Nothing is taken from this machine: no os-release, no stub, no hwids. */
import { escapeText } from '../../bytes/printable.ts';
import { MACHINES, type EfiArchitecture } from '../../formats/pe/format.ts';
import { defineCommand, usageError, type Command } from '../command.ts';
import type { CliContext } from '../context.ts';
import { readSecureBootKey } from '../secure-boot-key.ts';
import { ukiBuildFlags, type UkiBuildFlags, type Values } from '../uki-build-flags.ts';

export const command: Command = defineCommand<UkiBuildFlags, []>({
  description:
    'Puts a kernel, initrds and the rest behind an EFI stub, byte for byte as ukify 262 does. TEXT may be @FILE. Unlike ' +
    "ukify it takes nothing from this machine: give --stub and, for a UKI, the image's own --os-release.",
  flags: ukiBuildFlags,
  aliases: { o: 'output' },
  args: [],
  async run(context, given) {
    const flags = await withConfig(given, context);
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

/** The command line wins; its initrds follow those of the file. */
async function withConfig(flags: UkiBuildFlags, context: CliContext): Promise<UkiBuildFlags> {
  const file = last(flags.config);
  if (file === undefined) return flags;
  const { readBootFile } = await import('../../stores/boot-file.ts');
  const { parseUkifyConfig } = await import('../../uki/ukify-config.ts');
  const text = new TextDecoder().decode(await readBootFile(file));
  const config: UkiBuildFlags = parseUkifyConfig(text, (message) => context.note(message));
  const efiArch = config.efiArch?.filter((name) => name in MACHINES);
  const initrd = [...(config.initrd ?? []), ...(flags.initrd ?? [])];
  return { ...config, ...optional({ efiArch }), ...optional(flags), initrd };
}

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
