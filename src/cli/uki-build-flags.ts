/** The options of `uki build`: ukify's names. */
import type { FlagParametersForType } from '@stricli/core';
import { MACHINES } from '../formats/pe/format.ts';
import { text } from './command.ts';

export type Values = readonly string[];

/** Lists, because scripts give an option twice and the last one counts, as with ukify. */
export interface UkiBuildFlags {
  readonly config?: Values;
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

export const ukiBuildFlags: FlagParametersForType<UkiBuildFlags> = {
  config: list('FILE', "ukify's configuration file"),
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
  devicetreeAuto: list('FILE', 'device tree to choose by hardware'),
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
};
