/** Where policy.json and registries.d are, for every command that asks them. */
import { text } from './command.ts';

export interface PolicyFlags {
  readonly policy?: string;
  readonly 'registries.d'?: string;
}

const policy = {
  kind: 'parsed',
  parse: text,
  optional: true,
  placeholder: 'FILE',
  brief: 'policy.json to use, instead of the system’s',
} as const;

const registriesD = {
  kind: 'parsed',
  parse: text,
  optional: true,
  placeholder: 'DIR',
  brief: 'registries.d folder to use, instead of the system’s',
} as const;

export const policyFlags = { policy, 'registries.d': registriesD } as const;

/** As the jobs take them. */
export function policyFiles(flags: PolicyFlags): {
  readonly policyFile?: string;
  readonly registriesDirectory?: string;
} {
  const directory = flags['registries.d'];
  return {
    ...(flags.policy !== undefined && { policyFile: flags.policy }),
    ...(directory !== undefined && { registriesDirectory: directory }),
  };
}
