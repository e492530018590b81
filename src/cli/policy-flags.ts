/** Where policy.json and registries.d are, for every command that asks them. */
import { text } from './command.ts';

export interface PolicyFlags {
  readonly policy?: string;
  readonly 'registries.d'?: string;
}

/** Of commands that judge images. */
export interface JudgeFlags extends PolicyFlags {
  readonly bundlePolicy?: string;
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

const bundlePolicy = {
  kind: 'parsed',
  parse: text,
  optional: true,
  placeholder: 'FILE',
  brief: 'what to ask of cosign 3 bundles, instead of /etc/bootseal/bundles.json',
} as const;

export const policyFlags = { policy, 'registries.d': registriesD } as const;
export const judgeFlags = { ...policyFlags, bundlePolicy } as const;

/** As the jobs take them. */
export function policyFiles(flags: JudgeFlags): {
  readonly policyFile?: string;
  readonly registriesDirectory?: string;
  readonly bundlePolicyFile?: string;
} {
  const directory = flags['registries.d'];
  return {
    ...(flags.policy !== undefined && { policyFile: flags.policy }),
    ...(directory !== undefined && { registriesDirectory: directory }),
    ...(flags.bundlePolicy !== undefined && { bundlePolicyFile: flags.bundlePolicy }),
  };
}
