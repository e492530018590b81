/** `bootseal verify IMAGE`: is the image what the policy wants? */
import { defineCommand, imageArgument, type Command, type Outcome } from '../command.ts';
import type { CliContext } from '../context.ts';
import { transportOptions } from '../transport-flags.ts';
import { checkVerifyFlags, verifyByCosign, verifyFlags, type VerifyFlags } from '../verify-flags.ts';

export const command: Command = defineCommand<VerifyFlags, [image: string]>({
  description:
    'Judges the image by policy.json and registries.d, as podman and skopeo do when they copy it, and prints the ' +
    'digest that was judged. Of an index the instance for the platform decides; with --as bootc the index itself. ' +
    'Bundles of cosign 3 count only where bundles.json says so. Exit status: 0 accepted, 1 refused, 3 could not ' +
    'decide (policy or image unreadable, a requirement that is not supported yet).',
  flags: verifyFlags,
  args: [imageArgument('IMAGE')],
  async run(context, flags, image) {
    checkVerifyFlags(flags);
    if (flags.sealed) return verifySealed(context, flags, image);
    return flags.as === 'cosign'
      ? verifyByCosign(context, flags, image)
      : verifyPolicy(context, flags, image);
  },
});

async function verifySealed(context: CliContext, flags: VerifyFlags, image: string): Promise<Outcome> {
  const { runSealedChain, sealedOutcome } = await import('../sealed-chain.ts');
  return sealedOutcome(await runSealedChain(context, flags, image));
}

async function verifyPolicy(context: CliContext, flags: VerifyFlags, image: string): Promise<Outcome> {
  const [{ verifyImage }, { parseImageName, formatImageName }, { refusal }] = await Promise.all([
    import('../../verify/verify.ts'),
    import('../../formats/reference/image-name.ts'),
    import('../../verify/admit.ts'),
  ]);
  const name = parseImageName(image);
  const result = await verifyImage(
    {
      image: name,
      all: flags.all,
      requireSigned: flags.requireSigned,
      ...(flags.policy !== undefined && { policyFile: flags.policy }),
      ...(flags['registries.d'] !== undefined && { registriesDirectory: flags['registries.d'] }),
      ...(flags.platform && { platform: flags.platform }),
      ...(flags.as !== undefined && flags.as !== 'cosign' && { as: flags.as }),
      ...(flags.bundlePolicy !== undefined && { bundlePolicyFile: flags.bundlePolicy }),
    },
    { transport: transportOptions(flags, context), env: context.env },
  );
  // Not judged at all is not the same as refused.
  if (result.reasonCode === 'policy/unsupported-requirement') throw refusal(result.verdict);
  for (const scope of result.verdict.scopesTried) context.detail(`looked up ${scope}`);
  const subject = formatImageName(name).replace(/^docker:\/\//, '');
  const [signature, ...further] = result.steps;
  const word = result.allowed ? (result.verified ? 'accepted' : 'accepted, unverified') : 'refused';
  return {
    ok: result.allowed,
    verdict: {
      word,
      subject,
      ...(result.message !== undefined && { reason: result.message }),
      facts: signature.details ?? [],
      ...(signature.hint !== undefined && { hint: signature.hint }),
    },
    // For people the verdict has said what the first step says.
    steps: context.json ? result.steps : further,
    json: {
      image: formatImageName(name),
      ...(flags.as !== undefined && { as: flags.as }),
      allowed: result.allowed,
      verified: result.verified,
      pinnedDigest: result.pinnedDigest,
      ...(result.reasonCode !== undefined && { reasonCode: result.reasonCode }),
      ...(result.message !== undefined && { message: result.message }),
      judged: result.judged.map(({ role, platform, verdict, lookedIn }) => ({
        role,
        platform,
        verdict,
        lookedIn,
      })),
    },
  };
}
