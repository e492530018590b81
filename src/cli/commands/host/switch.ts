/** `host switch IMAGE --root DIR`: deploy another image, if the policy accepts it. */
import { parseImageName } from '../../../formats/reference/image-name.ts';
import { defineCommand, imageArgument, type Command } from '../../command.ts';
import {
  changeOutcome,
  changePorts,
  changeRequest,
  policy,
  registriesDirectory,
  root,
  type HostFlags,
} from '../../host-flags.ts';
import { transportFlags } from '../../transport-flags.ts';

interface Flags extends HostFlags {
  readonly enforceContainerSigpolicy: boolean;
}

export const command: Command = defineCommand<Flags, [image: string]>({
  description:
    'Judges the image by policy.json and registries.d, pulls the digest that was judged, and makes it current. Once ' +
    'a signed image is deployed, or --enforce-container-sigpolicy was given, later switches and upgrades accept ' +
    'signed images only. A refusal changes nothing and exits with 1.',
  flags: {
    root,
    enforceContainerSigpolicy: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'accept only images that a signature rule of the policy verified, now and later',
    },
    policy,
    'registries.d': registriesDirectory,
    ...transportFlags,
  },
  args: [imageArgument('IMAGE')],
  async run(context, flags, image) {
    const { switchHost } = await import('../../../host/change.ts');
    const request = {
      ...changeRequest(flags),
      image: parseImageName(image),
      enforce: flags.enforceContainerSigpolicy,
    };
    return changeOutcome(await switchHost(request, await changePorts(flags, context)));
  },
});
