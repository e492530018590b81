/** `composefs repo import REPO IMAGE`: keep an image in a repository, if the policy accepts it. */
import type { Platform } from '../../../formats/oci/descriptor.ts';
import { defineCommand, imageArgument, text, usageError, type Command } from '../../command.ts';
import { layerProgress } from '../../layer-progress.ts';
import { platformFlag } from '../../platform-flag.ts';
import { transportFlags, transportOptions, type TransportFlags } from '../../transport-flags.ts';

interface Flags extends TransportFlags {
  readonly tag?: string;
  readonly policy?: string;
  readonly 'registries.d'?: string;
  readonly insecurePolicy: boolean;
  readonly platform?: Platform;
}

const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;

export const command: Command = defineCommand<Flags, [repo: string, image: string]>({
  description:
    'Judges the image by policy.json, then reads every layer once: large files become objects, each layer a split ' +
    'stream under the diffID that its bytes have, and the composefs images of the tree are written and named. ' +
    'bootc and cfsctl read the result. An import that ends early leaves nothing that is used.',
  flags: {
    tag: { ...file, placeholder: 'NAME', brief: 'name in the repository, instead of the image name' },
    policy: { ...file, brief: 'policy.json to use instead of the system’s' },
    'registries.d': { ...file, placeholder: 'DIR', brief: 'registries.d to use instead of the system’s' },
    insecurePolicy: { kind: 'boolean', default: false, withNegated: false, brief: 'accept any image' },
    platform: platformFlag,
    ...transportFlags,
  },
  args: [{ parse: text, placeholder: 'REPO', brief: 'folder of the repository' }, imageArgument('IMAGE')],
  async run(context, flags, path, imageText) {
    const { policy: policyFile, 'registries.d': registriesDirectory, insecurePolicy, platform } = flags;
    if (insecurePolicy && policyFile !== undefined)
      throw usageError('--insecure-policy contradicts --policy');
    const { importImage } = await import('../../../host/repository/import-image.ts');
    const { parseImageName } = await import('../../../formats/reference/image-name.ts');
    const { openSource } = await import('../../../stores/open.ts');
    const { openRepo } = await import('../../../stores/composefs-repo/repository.ts');
    const { openLayerPorts } = await import('../../../stores/layer-ports.ts');
    const { admitAsStep, prepareAdmit } = await import('../../../verify/admit.ts');
    const repo = await openRepo(path);
    const image = parseImageName(imageText);
    const admit = insecurePolicy
      ? undefined
      : await prepareAdmit(
          {
            image,
            ...(policyFile !== undefined && { policyFile }),
            ...(registriesDirectory !== undefined && { registriesDirectory }),
          },
          { env: context.env },
        );
    const source = await openSource(image, transportOptions(flags, context));
    try {
      const { steps, ...json } = await importImage(
        { repo, tag: flags.tag ?? imageText, ...(platform && { platform }) },
        {
          source,
          openLayerPorts,
          signal: context.signal,
          onProgress: await layerProgress(context),
          ...(admit && { admit: admitAsStep(admit, { id: 'image', title: 'image' }) }),
        },
      );
      const boot = json.boot ?? `none: ${json.notBootable ?? ''}`;
      return {
        ok: true,
        stepsFirst: true,
        steps,
        verdict: {
          word: 'imported',
          subject: `${flags.tag ?? imageText}@${json.manifest}`,
          facts: [
            { label: 'image', value: json.image },
            { label: 'for boot', value: boot },
          ],
        },
        json,
      };
    } finally {
      await source.close();
    }
  },
});
