/** Options that say by which rules a digest is computed: a release by name, or rule by rule. */
import type { Epoch } from '../composefs/epochs.ts';
import { text, usageError } from './command.ts';

export interface EpochFlags {
  readonly epoch?: string;
  readonly erofs?: 'v0' | 'v1' | 'v2';
  readonly hash?: 'sha256' | 'sha512';
  readonly xattrs?: 'allowlist' | 'keep-user';
  readonly bootNsec?: 'keep' | 'usr';
  readonly plain: boolean;
}

/** Spread into `flags` of a command. */
export const epochFlags = {
  epoch: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'NAME',
    brief: 'rules by name or by release of bootc, such as 1.15; "all" prints every one',
  },
  erofs: { kind: 'enum', values: ['v0', 'v1', 'v2'], optional: true, brief: 'version of the image format' },
  hash: { kind: 'enum', values: ['sha256', 'sha512'], optional: true, brief: 'hash of fs-verity' },
  xattrs: {
    kind: 'enum',
    values: ['allowlist', 'keep-user'],
    optional: true,
    brief: 'extended attributes that stay: security.capability, or user.* as well',
  },
  bootNsec: {
    kind: 'enum',
    values: ['keep', 'usr'],
    optional: true,
    brief: 'nanoseconds of /boot and /sysroot: as they are, or of /usr',
  },
  plain: {
    kind: 'boolean',
    default: false,
    withNegated: false,
    brief: 'the image as stored, without the boot transform',
  },
} as const;

/** Throws `usage/options` for rules that exclude one another, and for names that no epoch has. */
export async function chooseEpochs(flags: EpochFlags): Promise<readonly Epoch[]> {
  const { DEFAULT_EPOCH, EPOCHS, findEpoch } = await import('../composefs/epochs.ts');
  const { erofs, hash, xattrs, bootNsec } = flags;
  const piecewise = [erofs, hash, xattrs, bootNsec].some((flag) => flag !== undefined);
  if (flags.epoch !== undefined && piecewise) {
    throw usageError('--epoch names all rules at once: leave out --erofs, --hash, --xattrs and --boot-nsec');
  }
  const boot = !flags.plain;
  if (flags.epoch === 'all') return EPOCHS.map((epoch) => ({ ...epoch, boot }));
  const named = flags.epoch === undefined ? DEFAULT_EPOCH : findEpoch(flags.epoch);
  if (named === undefined) {
    throw usageError(
      `unknown epoch ${JSON.stringify(flags.epoch)}`,
      `one of ${EPOCHS.map(({ name }) => name).join(', ')}, all, or a release of bootc from 1.12 on`,
    );
  }
  return [
    {
      ...named,
      boot,
      ...(piecewise && { name: 'custom', bootc: '' }),
      ...(erofs && { version: erofs }),
      ...(hash && { algorithm: hash }),
      ...(xattrs && { xattrs, directoryXattrs: xattrs }),
      ...(bootNsec && { bootNsec }),
    },
  ];
}
