/** `bootseal digest IMAGE`: the composefs digest, as `composefs=` on the kernel command line of a sealed image holds it. */
import type { Platform } from '../../formats/oci/descriptor.ts';
import { defineCommand, imageArgument, text, usageError, type Command } from '../command.ts';
import { chooseEpochs, epochFlags, type EpochFlags } from '../epoch-flags.ts';
import { platformFlag } from '../platform-flag.ts';
import { transportFlags, type TransportFlags } from '../transport-flags.ts';

interface Flags extends EpochFlags, TransportFlags {
  readonly dump?: string;
  readonly lint: boolean;
  readonly fromUki: boolean;
  readonly uki?: string;
  readonly platform?: Platform;
}

export const command: Command = defineCommand<Flags, [image: string]>({
  description:
    'Computes, from the layers alone, the fs-verity digest of the composefs image that bootc makes of a container ' +
    'image. Every layer is checked against its digest and its diffID on the way. Without options the digest is ' +
    'that of bootc 1.16.4 and later. A path that starts with / or . is a directory that holds such an image.',
  flags: {
    ...epochFlags,
    dump: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'also write the tree as composefs dump text',
    },
    lint: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'instead, name what will make digests of it disagree later',
    },
    fromUki: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'instead, say by which rules the digest in its UKI was computed',
    },
    uki: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'the same for a UKI that is not in the image',
    },
    platform: platformFlag,
    ...transportFlags,
  },
  args: [imageArgument('IMAGE', 'image name, transport first, or a directory')],
  async run(context, flags, name) {
    const epochs = await chooseEpochs(flags);
    const fromUki = flags.fromUki || flags.uki !== undefined;
    if (flags.lint || fromUki) {
      refuseRules(flags, fromUki);
      const { fromUkiOutcome, lintOutcome } = await import('../digest-modes.ts');
      return flags.lint ? lintOutcome(name, flags, context) : fromUkiOutcome(name, flags.uki, flags, context);
    }
    if (flags.dump !== undefined && epochs.length > 1)
      throw usageError('--dump writes one tree: name one epoch');
    const { digestDirectory, digestImage } = await import('../../seal/digest.ts');
    const { openRootInput } = await import('../tree-inputs.ts');
    const { readPorts } = await import('../digest-modes.ts');
    const { digestJson, digestTable } = await import('../render/digests.ts');
    const { input, close } = await openRootInput(name, flags, context);
    try {
      const request = { epochs, dump: flags.dump !== undefined };
      const ports = await readPorts(context, input.kind === 'directory' ? 'files' : 'layers');
      const result =
        input.kind === 'directory'
          ? await digestDirectory({ ...request, directory: input.path }, ports)
          : await digestImage(
              { ...request, ...(input.platform && { platform: input.platform }) },
              { ...ports, source: input.source },
            );
      if (flags.dump !== undefined) {
        const { writeFileAtomic } = await import('../../stores/atomic-write.ts');
        await writeFileAtomic(flags.dump, result.dump ?? []);
      }
      const [first] = result.digests;
      return {
        ok: true,
        ...(epochs.length > 1 ? { text: digestTable(result.digests) } : { value: first.digest! }),
        json: digestJson(result),
      };
    } finally {
      await close();
    }
  },
});

function refuseRules(flags: Flags, fromUki: boolean): void {
  const { epoch, erofs, hash, xattrs, bootNsec, dump, plain } = flags;
  if (flags.lint && fromUki)
    throw usageError('--lint and --from-uki are different questions: ask one at a time');
  if (plain || [epoch, erofs, hash, xattrs, bootNsec, dump].some((flag) => flag !== undefined)) {
    throw usageError(
      `${flags.lint ? '--lint' : '--from-uki'} tries all rules: leave out options that choose some`,
    );
  }
}
