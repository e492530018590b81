/** `inspect IMAGE`: what an image is, without its layers. */
import { parseImageName, type ImageName } from '../../formats/reference/image-name.ts';
import { formatPlatform } from '../../formats/oci/platform.ts';
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { escapeText } from '../../bytes/printable.ts';
import type { StepDetail } from '../../steps.ts';
import type { TransportOptions } from '../../stores/transport-options.ts';
import { defineCommand, imageArgument, usageError, type Command, type Outcome } from '../command.ts';
import { chosenPlatform, platformFlags, type PlatformFlags } from '../copy-flags.ts';
import { transportFlags, transportOptions, type TransportFlags } from '../transport-flags.ts';
import type { Inspection } from '../../sign/inspect.ts';

interface Flags extends TransportFlags, PlatformFlags {
  readonly raw: boolean;
  readonly tags: boolean;
}

export const command: Command = defineCommand<Flags, [image: string]>({
  flags: {
    raw: { kind: 'boolean', default: false, withNegated: false, brief: 'print the manifest as it is stored' },
    tags: { kind: 'boolean', default: false, withNegated: false, brief: 'list the tags of the repository' },
    ...platformFlags,
    ...transportFlags,
  },
  args: [imageArgument('IMAGE')],
  async run(context, flags, name) {
    const options = transportOptions(flags, context);
    if (flags.tags) return listTags(parseImageName(name), options);
    const { openSource } = await import('../../stores/open.ts');
    const { inspectImage } = await import('../../sign/inspect.ts');
    const source = await openSource(parseImageName(name), options);
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

async function listTags(name: ImageName, options: TransportOptions): Promise<Outcome> {
  if (name.transport !== 'docker') throw usageError('--tags is for images in registries');
  const { openClient } = await import('../../stores/registry/client.ts');
  const { listTags } = await import('../../stores/registry/manifests.ts');
  const client = await openClient(name.reference, options);
  try {
    const tags = await listTags(client);
    return { ok: true, text: tags.join('\n'), json: { repository: client.repository, tags } };
  } finally {
    await client.close();
  }
}

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
