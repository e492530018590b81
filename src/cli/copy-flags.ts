/** Options of `copy`, with skopeo's spellings: two ends, each with its own way to be reached. */
import type { FlagParametersForType } from '@stricli/core';
import type { Platform } from '../formats/oci/descriptor.ts';
import { hostPlatform } from '../formats/oci/platform.ts';
import type { Credentials, TransportOptions } from '../stores/transport-options.ts';
import { text, usageError } from './command.ts';
import type { CliContext } from './context.ts';
import { transportOptions, type TransportFlags } from './transport-flags.ts';

export interface EndFlags {
  readonly authfile?: string;
  readonly srcAuthfile?: string;
  readonly destAuthfile?: string;
  readonly srcCreds?: Credentials;
  readonly destCreds?: Credentials;
  readonly srcCertDir?: string;
  readonly destCertDir?: string;
  readonly srcTlsVerify?: boolean;
  readonly destTlsVerify?: boolean;
  readonly registriesConf?: string;
}

const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;
const folder = { kind: 'parsed', parse: text, optional: true, placeholder: 'DIR' } as const;
const creds = { kind: 'parsed', parse: credentials, optional: true, placeholder: 'USER:PASS' } as const;
const answer = { kind: 'boolean', optional: true, withNegated: false } as const;

export const endFlags: FlagParametersForType<EndFlags> = {
  authfile: { ...file, brief: 'credentials file for both ends (containers-auth.json)' },
  srcAuthfile: { ...file, brief: 'credentials file for the source' },
  destAuthfile: { ...file, brief: 'credentials file for the destination' },
  srcCreds: { ...creds, brief: 'user and password at the source' },
  destCreds: { ...creds, brief: 'user and password at the destination' },
  srcCertDir: { ...folder, brief: 'certificates and keys for the source' },
  destCertDir: { ...folder, brief: 'certificates and keys for the destination' },
  srcTlsVerify: { ...answer, brief: 'false: accept any certificate, and plain HTTP, at the source' },
  destTlsVerify: { ...answer, brief: 'false: the same at the destination' },
  registriesConf: {
    ...file,
    brief: 'mirrors and blocked registries, instead of the system’s registries.conf',
  },
};

export interface PlatformFlags {
  readonly overrideOs?: string;
  readonly overrideArch?: string;
  readonly overrideVariant?: string;
}

const word = { kind: 'parsed', parse: text, optional: true, placeholder: 'NAME' } as const;

export const platformFlags: FlagParametersForType<PlatformFlags> = {
  overrideOs: { ...word, brief: 'of an index, the image for this system instead of linux' },
  overrideArch: { ...word, brief: 'of an index, the image for this architecture, as Go names it' },
  overrideVariant: { ...word, brief: 'of an index, the image for this variant' },
};

/** Undefined where nothing was said: the machine's own. */
export function chosenPlatform(flags: PlatformFlags): { readonly platform?: Platform } {
  const { overrideOs: os, overrideArch: architecture, overrideVariant: variant } = flags;
  if (os === undefined && architecture === undefined && variant === undefined) return {};
  const own = hostPlatform();
  return {
    platform: {
      os: os ?? own.os,
      architecture: architecture ?? own.architecture,
      ...(variant !== undefined && { variant }),
    },
  };
}

export function sourceOptions(flags: EndFlags, context: CliContext): TransportOptions {
  const { srcCreds, srcCertDir: certDir, srcTlsVerify: tlsVerify, registriesConf } = flags;
  const authfile = flags.srcAuthfile ?? flags.authfile;
  return endOptions({ authfile, certDir, tlsVerify, registriesConf }, srcCreds, context);
}

export function destinationOptions(flags: EndFlags, context: CliContext): TransportOptions {
  const { destCreds, destCertDir: certDir, destTlsVerify: tlsVerify, registriesConf } = flags;
  const authfile = flags.destAuthfile ?? flags.authfile;
  return endOptions({ authfile, certDir, tlsVerify, registriesConf }, destCreds, context);
}

function endOptions(
  {
    authfile,
    certDir,
    tlsVerify,
    registriesConf,
  }: { [K in keyof TransportFlags]: TransportFlags[K] | undefined },
  credentials: Credentials | undefined,
  context: CliContext,
): TransportOptions {
  const flags = {
    ...(authfile !== undefined && { authfile }),
    ...(certDir !== undefined && { certDir }),
    ...(tlsVerify !== undefined && { tlsVerify }),
    ...(registriesConf !== undefined && { registriesConf }),
  };
  return { ...transportOptions(flags, context), ...(credentials && { credentials }) };
}

/** `USER:PASS`; the user ends at the first colon. No message repeats it. */
function credentials(input: string): Credentials {
  const colon = input.indexOf(':');
  if (colon < 1) throw usageError('credentials are written USER:PASS');
  return { username: input.slice(0, colon), password: input.slice(colon + 1) };
}
