/** `bootseal policy match IMAGE`: which part of policy.json and registries.d speaks for a name. */
import { defineCommand, imageArgument, type Command } from '../../command.ts';
import { policyFiles, policyFlags, type PolicyFlags } from '../../policy-flags.ts';
import { matchFacts } from '../../render/match.ts';

export const command: Command = defineCommand<PolicyFlags, [image: string]>({
  description:
    'Shows where the policy was found, every scope in the order in which it is looked up, the one that applies and ' +
    'what it asks for, and which file and key of registries.d gave each setting. Works for names of images that do ' +
    'not exist; nothing is asked of the network. Exit status: 0, or 3 where policy.json or registries.d cannot be read.',
  flags: policyFlags,
  args: [imageArgument('IMAGE')],
  async run(context, flags, image) {
    const [{ matchPolicy }, { parseImageName }] = await Promise.all([
      import('../../../verify/match-policy.ts'),
      import('../../../formats/reference/image-name.ts'),
    ]);
    const result = await matchPolicy({ image: parseImageName(image), ...policyFiles(flags) }, context.env);
    return {
      ok: true,
      verdict: { word: 'matched', subject: result.image, facts: matchFacts(result) },
      json: { ...result },
    };
  },
});
