/** `bootseal audit REPOSITORY…`: which tags would be refused today, and why. */
import type { Platform } from '../../formats/oci/descriptor.ts';
import { defineCommand, text, usageError, type Command } from '../command.ts';
import { platformFlag } from '../platform-flag.ts';
import { judgeFlags, policyFiles, type JudgeFlags } from '../policy-flags.ts';
import { countMany, manyJson, manySteps, manySummary } from '../render/many.ts';
import { transportFlags, transportOptions, type TransportFlags } from '../transport-flags.ts';

interface AuditFlags extends JudgeFlags, TransportFlags {
  readonly all: boolean;
  readonly requireSigned: boolean;
  readonly platform?: Platform;
}

export const command: Command = defineCommand<AuditFlags, string[]>({
  description:
    'Lists the tags of each repository and judges each as verify does. Tags that hold signatures are left out. Prints ' +
    'what would be refused, and with --verbose what is accepted too. Exit status: 0 all accepted, 1 one is refused, ' +
    '3 one could not be judged.',
  flags: {
    all: { kind: 'boolean', default: false, withNegated: false, brief: 'judge every instance of an index' },
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
  args: [{ parse: text, placeholder: 'REPOSITORY', brief: 'HOST/PATH; with a tag only that image' }],
  manyArgs: true,
  async run(context, flags, ...repositories) {
    if (repositories.length === 0) throw usageError('name a repository', 'bootseal audit quay.io/acme/os');
    const [{ audit }, { exitOfMany }] = await Promise.all([
      import('../../verify/audit.ts'),
      import('../../verify/verify-many.ts'),
    ]);
    const { all, requireSigned, platform } = flags;
    let done = 0;
    const audited = await audit(
      { repositories, all, requireSigned, ...policyFiles(flags), ...(platform && { platform }) },
      {
        transport: transportOptions(flags, context),
        env: context.env,
        onResult: () => context.detail(`${++done} judged`),
      },
    );
    const results = audited.flatMap(({ images }) => images);
    const unlisted = audited.flatMap(({ repository, error }) => (error ? [{ repository, error }] : []));
    const steps = [
      ...unlisted.map(({ repository, error }) => ({
        id: 'repository',
        title: repository,
        state: 'failed' as const,
        summary: `could not be listed: ${error.message}`,
        code: error.code,
        ...(error.hint !== undefined && { hint: error.hint }),
      })),
      ...manySteps(results),
    ];
    const judged = exitOfMany(results);
    const exit = judged === 0 && unlisted.length > 0 ? 3 : judged;
    const shown = steps.filter(({ state }) => context.json || context.verbose || state !== 'passed');
    return {
      ok: exit === 0,
      exit,
      verdict: {
        word: exit === 0 ? 'accepted' : exit === 1 ? 'refused' : 'could not decide',
        subject: `${repositories.join(' ')}: ${manySummary(countMany(results))}`,
      },
      steps: shown,
      json: {
        counts: countMany(results),
        repositories: audited.map(({ repository, skipped, images, error }) => ({
          repository,
          skipped,
          ...(error && { error: { code: error.code, message: error.message } }),
          images: manyJson(images),
        })),
      },
    };
  },
});
