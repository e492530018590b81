/** `bootseal digest diff A B`: why two trees give different digests. */
import type { Platform } from '../../formats/oci/descriptor.ts';
import { defineCommand, text, usageError, type Command } from '../command.ts';
import { chooseEpochs, epochFlags, type EpochFlags } from '../epoch-flags.ts';
import { platformFlag } from '../platform-flag.ts';
import { transportFlags, type TransportFlags } from '../transport-flags.ts';

interface Flags extends EpochFlags, TransportFlags {
  readonly all: boolean;
  readonly platform?: Platform;
}

/** Differing paths shown without --all. */
const SHOWN = 20;

export const command: Command = defineCommand<Flags, [left: string, right: string]>({
  description:
    'Says for each path and attribute what differs between two trees, which epochs mind, and what likely caused it. ' +
    'A side is an image by name, or by a path that starts with / or . a directory, a composefs dump, an EROFS image, ' +
    'or a UKI with its dump beside it (FILE.dump). Dumps and images have been through the boot transform: where one ' +
    'side is such a file, the other is transformed by the epoch first.',
  flags: {
    ...epochFlags,
    all: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: `show more than ${SHOWN} paths, and what no digest holds`,
    },
    platform: platformFlag,
    ...transportFlags,
  },
  args: [
    { parse: text, placeholder: 'LEFT', brief: 'image name, directory or file' },
    { parse: text, placeholder: 'RIGHT', brief: 'what to compare it with' },
  ],
  async run(context, flags, leftName, rightName) {
    const [epoch, ...others] = await chooseEpochs(flags);
    if (others.length > 0)
      throw usageError('all epochs are asked anyway: name one for the transform, or none');
    const { diffDigests } = await import('../../seal/digest-diff.ts');
    const { openTreeInput } = await import('../tree-inputs.ts');
    const { readPorts } = await import('../digest-modes.ts');
    const { diffJson, diffText } = await import('../render/digest-diff.ts');
    const left = await openTreeInput(leftName, flags, context);
    try {
      const right = await openTreeInput(rightName, flags, context);
      try {
        const request = { left: left.input, right: right.input, epoch, ignored: flags.all || context.json };
        const limit = flags.all || context.json ? {} : { limit: SHOWN };
        const result = await diffDigests({ ...request, ...limit }, await readPorts(context));
        return {
          ok: result.differingPaths === 0,
          text: diffText(result, context),
          json: diffJson(result, flags.all ? Infinity : 1000),
        };
      } finally {
        await right.close();
      }
    } finally {
      await left.close();
    }
  },
});
