/** `bootseal policy explain IMAGE`: why the image is accepted or refused, down to each signature. */
import type { Platform } from '../../../formats/oci/descriptor.ts';
import { defineCommand, imageArgument, type Command } from '../../command.ts';
import { platformFlag } from '../../platform-flag.ts';
import { judgeFlags, policyFiles, type JudgeFlags } from '../../policy-flags.ts';
import { explainFacts } from '../../render/explain.ts';
import { transportFlags, transportOptions, type TransportFlags } from '../../transport-flags.ts';

interface ExplainFlags extends JudgeFlags, TransportFlags {
  readonly all: boolean;
  readonly requireSigned: boolean;
  readonly platform?: Platform;
}

export const command: Command = defineCommand<ExplainFlags, [image: string]>({
  description:
    'Judges the image as verify does, with the same verdict and exit status, and tells all that led to it: the policy ' +
    'file and how it was found, the scopes looked up, each requirement with each signature, the identity that was ' +
    'expected and the one that was signed, the keys, and where signatures were looked for or left alone.',
  flags: {
    all: { kind: 'boolean', default: false, withNegated: false, brief: 'explain every instance of an index' },
    requireSigned: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'refuse where the policy asks for no signature',
    },
    ...judgeFlags,
    platform: platformFlag,
    ...transportFlags,
  },
  args: [imageArgument('IMAGE')],
  async run(context, flags, image) {
    const [{ explainPolicy }, { parseImageName }] = await Promise.all([
      import('../../../verify/explain.ts'),
      import('../../../formats/reference/image-name.ts'),
    ]);
    const { all, requireSigned, platform } = flags;
    const explanation = await explainPolicy(
      {
        image: parseImageName(image),
        all,
        requireSigned,
        ...policyFiles(flags),
        ...(platform && { platform }),
      },
      { transport: transportOptions(flags, context), env: context.env },
    );
    const { match, result, mirror } = explanation;
    const { allowed, verified, message, reasonCode, pinnedDigest, judged } = result;
    const hint = result.steps[0].hint;
    return {
      ok: allowed,
      ...(reasonCode === 'policy/unsupported-requirement' && { exit: 3 as const }),
      verdict: {
        word: allowed ? (verified ? 'accepted' : 'accepted, unverified') : 'refused',
        subject: match.image.replace(/^docker:\/\//, ''),
        ...(message !== undefined && { reason: message }),
        facts: explainFacts(explanation),
        ...(hint !== undefined && { hint }),
      },
      json: {
        ...match,
        allowed,
        verified,
        pinnedDigest,
        ...(reasonCode !== undefined && { reasonCode }),
        ...(message !== undefined && { message }),
        judged: judged.map(({ role, platform: own, verdict, lookedIn }) => ({
          role,
          platform: own,
          verdict,
          lookedIn,
        })),
        ...(mirror && { mirror }),
      },
    };
  },
});
