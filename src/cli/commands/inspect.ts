/** `inspect IMAGE`: what an image is, without its layers. */
import { parseImageName } from '../../formats/reference/image-name.ts';
import { formatPlatform } from '../../formats/oci/platform.ts';
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { escapeText } from '../../bytes/printable.ts';
import type { StepDetail } from '../../steps.ts';
import { defineCommand, imageArgument, type Command } from '../command.ts';
import { chosenPlatform, platformFlags, type PlatformFlags } from '../copy-flags.ts';
import { transportFlags, transportOptions, type TransportFlags } from '../transport-flags.ts';
import type { Inspection } from '../../sign/inspect.ts';

interface Flags extends TransportFlags, PlatformFlags {
  readonly raw: boolean;
}

export const command: Command = defineCommand<Flags, [image: string]>({
  flags: {
    raw: { kind: 'boolean', default: false, withNegated: false, brief: 'print the manifest as it is stored' },
    ...platformFlags,
    ...transportFlags,
  },
  args: [imageArgument('IMAGE')],
  async run(context, flags, name) {
    const { openSource } = await import('../../stores/open.ts');
    const { inspectImage } = await import('../../sign/inspect.ts');
    const source = await openSource(parseImageName(name), transportOptions(flags, context));
    try {
      if (flags.raw) {
        const { bytes } = await source.topManifest();
        return { ok: true, text: (decodeUtf8(bytes) ?? '').split('\n').map(escapeText).join('\n') };
      }
      const { manifest: _, ...found } = await inspectImage(source, chosenPlatform(flags).platform);
      return {
        ok: true,
        verdict: { word: 'image', subject: `${name}  ${found.digest}`, facts: facts(found) },
        json: { name, ...found },
      };
    } finally {
      await source.close();
    }
  },
});

function facts(image: Omit<Inspection, 'manifest'>): StepDetail[] {
  const list: StepDetail[] = [{ label: 'type', value: image.mediaType }];
  if (image.instance !== undefined) list.push({ label: 'instance', value: image.instance });
  for (const { digest, platform } of image.instances ?? []) {
    list.push({
      label: 'offers',
      value: `${digest}  ${platform === undefined ? '' : formatPlatform(platform)}`,
    });
  }
  list.push({ label: 'platform', value: `${image.os}/${image.architecture}` });
  if (image.created !== undefined) list.push({ label: 'created', value: image.created });
  for (const [label, value] of Object.entries(image.labels))
    list.push({ label: 'label', value: `${label}=${value}` });
  for (const layer of image.layers) {
    list.push({ label: 'layer', value: `${layer.digest}  ${layer.size} bytes  ${layer.mediaType}` });
  }
  return list;
}
