/** `bootseal policy lint [FILE]`: all that is wrong with a policy.json, at once. */
import { defineCommand, text, type Command } from '../../command.ts';
import { lintText } from '../../render/lint.ts';

interface LintFlags {
  readonly fatalWarnings: boolean;
  readonly 'registries.d'?: string;
}

export const command: Command = defineCommand<LintFlags, [file?: string]>({
  description:
    'Names every mistake of a policy.json with its line and what to write instead: what podman and skopeo refuse, ' +
    'scopes that no image is ever looked up under, requirements that nothing can pass or everything does, keys that ' +
    'are missing, unreadable or expired. Without FILE the policy that verify would use. Exit status: 0 no errors, ' +
    '1 errors, 3 the file could not be read.',
  flags: {
    fatalWarnings: { kind: 'boolean', default: false, withNegated: false, brief: 'exit 1 for warnings too' },
    'registries.d': {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'DIR',
      brief: 'instead of the system’s registries.d folders',
    },
  },
  args: [{ parse: text, placeholder: 'FILE', brief: 'policy.json', optional: true }],
  async run(context, flags, file) {
    const { lintPolicyFile } = await import('../../../verify/lint-policy.ts');
    const directory = flags['registries.d'];
    const report = await lintPolicyFile(
      {
        ...(file !== undefined && { file }),
        ...(directory !== undefined && { registriesDirectory: directory }),
      },
      { env: context.env },
    );
    const { counts, findings, refusal } = report;
    const ok = counts.error === 0 && !(flags.fatalWarnings && counts.warning > 0);
    return {
      ok,
      text: lintText(report, context.style, context.quiet),
      json: { file: report.file, counts, findings, ...(refusal !== undefined && { refusal }) },
    };
  },
});
