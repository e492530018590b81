/** The options of every command that reads or writes images, spelt as skopeo spells them. */
import type { TransportOptions } from '../stores/transport-options.ts';
import { text } from './command.ts';
import type { CliContext } from './context.ts';

export interface TransportFlags {
  readonly authfile?: string;
  readonly tlsVerify?: boolean;
  readonly certDir?: string;
  readonly registriesConf?: string;
}

// Each is written out, because the types of a command's flags are taken from its own object.
const authfile = {
  kind: 'parsed',
  parse: text,
  optional: true,
  placeholder: 'FILE',
  brief: 'the only credentials file to read (containers-auth.json(5))',
} as const;

const tlsVerify = {
  kind: 'boolean',
  optional: true,
  brief: 'false: take any certificate, and plain HTTP; loopback needs no option',
} as const;

const certDir = {
  kind: 'parsed',
  parse: text,
  optional: true,
  placeholder: 'DIR',
  brief: 'certificates and keys for the registry, instead of certs.d',
} as const;

const registriesConf = {
  kind: 'parsed',
  parse: text,
  optional: true,
  placeholder: 'FILE',
  brief: 'mirrors and blocked registries, instead of the system’s registries.conf',
} as const;

export const transportFlags = { authfile, tlsVerify, certDir, registriesConf } as const;

export function transportOptions(flags: TransportFlags, context: CliContext): TransportOptions {
  return {
    signal: context.signal,
    ...(flags.authfile !== undefined && { authFile: flags.authfile }),
    ...(flags.tlsVerify !== undefined && { tlsVerify: flags.tlsVerify }),
    ...(flags.certDir !== undefined && { certDir: flags.certDir }),
    ...(flags.registriesConf !== undefined && { registriesConfFile: flags.registriesConf }),
    env: context.env,
    onProgress(event) {
      if (event.kind === 'request') {
        context.detail(`${event.method} ${event.url}  ${event.status}  ${event.milliseconds} ms`);
      } else if (event.kind === 'retry') context.detail(`retry ${event.what}: ${event.reason}`);
      else if (event.kind === 'mirror') context.detail(`${event.reference} failed: ${event.reason}`);
      else context.detail(`resume ${event.what} at ${event.offset}`);
    },
  };
}
