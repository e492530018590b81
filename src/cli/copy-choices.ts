/** Options of `copy` that say how much of an image goes over, and how. */
import type { FlagParametersForType } from '@stricli/core';
import type { CopyRequest } from '../sign/copy-types.ts';
import { usageError } from './command.ts';

export interface ChoiceFlags {
  readonly all: boolean;
  readonly multiArch?: 'system' | 'all' | 'index-only';
  readonly format?: 'oci' | 'v2s2';
  readonly dryRun: boolean;
  readonly imageParallelCopies?: number;
}

const flag = { kind: 'boolean', default: false, withNegated: false } as const;

export const choiceFlags: FlagParametersForType<ChoiceFlags> = {
  all: { ...flag, brief: 'of an index, copy the index and every image' },
  multiArch: {
    kind: 'enum',
    values: ['system', 'all', 'index-only'],
    optional: true,
    brief: 'of an index: the image for this system (default), everything, or the index alone',
  },
  dryRun: { ...flag, brief: 'judge, and say what would be copied; write nothing' },
  format: {
    kind: 'enum',
    values: ['oci', 'v2s2'],
    optional: true,
    brief: 'refuse a manifest of another kind: nothing is ever converted',
  },
  imageParallelCopies: {
    kind: 'parsed',
    parse: count,
    optional: true,
    placeholder: 'N',
    brief: 'blobs at a time (4)',
  },
};

type Choices = Pick<CopyRequest, 'all' | 'indexOnly' | 'dryRun' | 'format' | 'parallel'>;

export function choices(flags: ChoiceFlags): Choices {
  const { all, multiArch, dryRun, format, imageParallelCopies: parallel } = flags;
  if (all && multiArch !== undefined) throw usageError('Cannot use --all and --multi-arch flags together');
  return {
    all: all || multiArch === 'all',
    indexOnly: multiArch === 'index-only',
    dryRun,
    ...(format && { format }),
    ...(parallel !== undefined && { parallel }),
  };
}

/** More connections than this help nobody. */
const MAX_PARALLEL = 64;

function count(input: string): number {
  const number = /^[0-9]{1,4}$/.test(input) ? Number(input) : 0;
  if (number >= 1 && number <= MAX_PARALLEL) return number;
  throw usageError(`--image-parallel-copies is 1 to ${MAX_PARALLEL}`);
}
