/** Options of `composefs mkfs`: those of mkcomposefs, and which hash and whose rules. */
import { text } from './command.ts';

export interface RulesFlag {
  readonly rules?: 'c' | 'rust';
}

export const rulesFlag = {
  kind: 'enum',
  values: ['c', 'rust'],
  optional: true,
  brief: 'follow C mkcomposefs, or composefs-rs as bootc does, where they differ',
} as const;

export interface MkfsFlags extends RulesFlag {
  readonly fromFile: boolean;
  readonly printDigest: boolean;
  readonly printDigestOnly: boolean;
  readonly digestStore?: string;
  readonly minVersion?: number;
  readonly maxVersion?: number;
  readonly hash: 'sha256' | 'sha512';
  readonly hardlinks: boolean;
  readonly useEpoch: boolean;
  readonly skipXattrs: boolean;
  readonly userXattrs: boolean;
  readonly skipDevices: boolean;
}

function version(input: string): number {
  if (!/^[0-9]{1,3}$/.test(input)) throw new Error(`Invalid version ${input}`);
  return Number(input);
}

const off = { kind: 'boolean', default: false, withNegated: false } as const;
const number = { kind: 'parsed', parse: version, optional: true, placeholder: 'N' } as const;

export const mkfsFlags = {
  fromFile: { ...off, brief: 'SOURCE is a dump text, not a directory' },
  printDigest: { ...off, brief: 'also print the digest of the image' },
  printDigestOnly: { ...off, brief: 'print the digest, and write no image' },
  digestStore: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'DIR',
    brief: 'copy the contents of files into this folder, by digest',
  },
  minVersion: { ...number, brief: 'least version of the format: 0, 1 or 2 (default 0)' },
  maxVersion: { ...number, brief: 'greatest version that may be used (default 1)' },
  hash: { kind: 'enum', values: ['sha256', 'sha512'], default: 'sha256', brief: 'hash of fs-verity' },
  rules: rulesFlag,
  hardlinks: { ...off, brief: 'names of one file stay names of one file' },
  useEpoch: { ...off, brief: 'all times are zero' },
  skipXattrs: { ...off, brief: 'without extended attributes' },
  userXattrs: { ...off, brief: 'of extended attributes only those of users' },
  skipDevices: { ...off, brief: 'without devices' },
} as const;
