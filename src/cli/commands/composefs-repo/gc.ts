/** `composefs repo gc REPO`: remove what no name leads to. */
import { defineCommand, text, type Command } from '../../command.ts';
import { bytesText } from '../../render/units.ts';

interface Flags {
  readonly keep?: readonly string[];
  readonly dryRun: boolean;
}

export const command: Command = defineCommand<Flags, [repo: string]>({
  description:
    'Keeps what the names below images/refs and streams/refs lead to, and removes every other object and every link ' +
    'that leads nowhere. Waits until nobody else uses the repository.',
  flags: {
    keep: {
      kind: 'parsed',
      parse: text,
      optional: true,
      variadic: true,
      placeholder: 'NAME',
      brief: 'image or stream to keep as well',
    },
    dryRun: { kind: 'boolean', default: false, withNegated: false, brief: 'only say what would be removed' },
  },
  args: [{ parse: text, placeholder: 'REPO', brief: 'folder of the repository' }],
  async run(_context, { keep, dryRun }, path) {
    const { collectGarbage } = await import('../../../host/repository/gc.ts');
    const { openRepo } = await import('../../../stores/composefs-repo/repository.ts');
    const result = await collectGarbage(await openRepo(path), { dryRun, ...(keep && { keep }) });
    return {
      ok: true,
      verdict: {
        word: dryRun ? 'nothing removed (dry run)' : 'collected',
        subject: path,
        facts: [
          { label: 'kept', value: `${result.kept} objects` },
          { label: 'removed', value: `${result.removed} objects, ${bytesText(result.bytes)}` },
          { label: 'pruned', value: `${result.pruned} links` },
        ],
      },
      json: { ...result, dryRun },
    };
  },
});
