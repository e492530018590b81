/** `bootseal verify IMAGE…`: is the image what the policy wants? */
import { defineCommand, imageArgument, usageError, type Command, type Outcome } from '../command.ts';
import type { CliContext } from '../context.ts';
import { checkVerifyFlags, verifyByCosign, verifyFlags, type VerifyFlags } from '../verify-flags.ts';

export const command: Command = defineCommand<VerifyFlags, string[]>({
  description:
    'Judges the image by policy.json and registries.d, as podman and skopeo do when they copy it, and prints the ' +
    'digest that was judged. Of an index the instance for the platform decides; with --as bootc the index itself. ' +
    'Several images share connections, policy and keys. With --offline the image is a folder, judged under the name ' +
    'that --identity gives, without any network. ' +
    'Bundles of cosign 3 count only where bundles.json says so. Exit status: 0 accepted, 1 refused, 3 could not ' +
    'decide (policy or image unreadable, a requirement that nobody supports).',
  flags: verifyFlags,
  args: [
    imageArgument(
      'IMAGE',
      'image name, transport first; a bare name means docker://. With --offline a folder',
    ),
  ],
  manyArgs: true,
  async run(context, flags, ...images) {
    checkVerifyFlags(flags);
    const [image, ...more] = images;
    if (image === undefined) throw usageError('name an image', 'bootseal verify quay.io/acme/os:10');
    if (more.length > 0 && (flags.sealed || flags.offline || flags.as === 'cosign')) {
      throw usageError('--sealed, --offline and --as cosign are about one image');
    }
    if (flags.sealed) return verifySealed(context, flags, image);
    if (flags.as === 'cosign') return verifyByCosign(context, flags, image);
    const { verifyMany, verifyOffline, verifyOne } = await import('../verify-policy.ts');
    if (flags.offline) return verifyOffline(context, flags, image);
    return more.length > 0 ? verifyMany(context, flags, images) : verifyOne(context, flags, image);
  },
});

async function verifySealed(context: CliContext, flags: VerifyFlags, image: string): Promise<Outcome> {
  const { runSealedChain, sealedOutcome } = await import('../sealed-chain.ts');
  return sealedOutcome(await runSealedChain(context, flags, image));
}
