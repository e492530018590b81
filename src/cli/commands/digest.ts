/** `bootseal digest IMAGE`: the composefs digest, as `composefs=` on the kernel command line of a sealed image holds it. */
import { BootsealError } from '../../errors.ts';
import type { Platform } from '../../formats/oci/descriptor.ts';
import { defineCommand, imageArgument, text, usageError, type Command } from '../command.ts';
import { chooseEpochs, epochFlags, type EpochFlags } from '../epoch-flags.ts';
import { layerProgress } from '../layer-progress.ts';
import { platformFlag } from '../platform-flag.ts';
import { transportFlags, transportOptions, type TransportFlags } from '../transport-flags.ts';

interface Flags extends EpochFlags, TransportFlags {
  readonly dump?: string;
  readonly platform?: Platform;
}

export const command: Command = defineCommand<Flags, [image: string]>({
  description:
    'Computes, from the layers alone, the fs-verity digest of the composefs image that bootc makes of a container ' +
    'image. Every layer is checked against its digest and its diffID on the way. Without options the digest is ' +
    'that of bootc 1.16.4 and later.',
  flags: {
    ...epochFlags,
    dump: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'also write the tree as composefs dump text',
    },
    platform: platformFlag,
    ...transportFlags,
  },
  args: [imageArgument('IMAGE')],
  async run(context, flags, imageText) {
    const epochs = await chooseEpochs(flags);
    if (flags.dump !== undefined && epochs.length > 1)
      throw usageError('--dump writes one tree: name one epoch');
    refuseDirectory(imageText);
    const { digestImage } = await import('../../seal/digest.ts');
    const { parseImageName } = await import('../../formats/reference/image-name.ts');
    const { openSource } = await import('../../stores/open.ts');
    const { openLayerPorts } = await import('../../stores/layer-ports.ts');
    const { digestJson, digestTable } = await import('../render/digests.ts');
    const source = await openSource(parseImageName(imageText), transportOptions(flags, context));
    try {
      const onProgress = await layerProgress(context);
      const result = await digestImage(
        { epochs, dump: flags.dump !== undefined, ...(flags.platform && { platform: flags.platform }) },
        { source, openLayerPorts, signal: context.signal, onProgress },
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
      await source.close();
    }
  },
});

/** A path and not an image name: nothing else starts so. */
function refuseDirectory(name: string): void {
  if (!/^(\.{0,2}\/|\.{1,2}$)/.test(name)) return;
  throw new BootsealError('digest/directory-unsupported', 'digests of directories are not supported yet', {
    where: name,
    hint: 'give an image, such as oci:FOLDER:TAG or docker://HOST/NAME:TAG',
  });
}
