/** `composefs repo fsck REPO`: is everything in it what its name says? */
import { defineCommand, text, type Command, type NoFlags } from '../../command.ts';
import { problemCount } from '../../render/units.ts';

export const command: Command = defineCommand<NoFlags, [repo: string]>({
  description:
    'Reads every object and computes its digest, follows every link and stream, and compares each layer, manifest ' +
    'and configuration with the digest that it is filed under, which cfsctl does not. Exits with 1 when something ' +
    'is wrong. Nothing is changed.',
  flags: {},
  args: [{ parse: text, placeholder: 'REPO', brief: 'folder of the repository' }],
  async run(context, _flags, path) {
    const { fsckRepo } = await import('../../../host/repository/fsck.ts');
    const { openRepo } = await import('../../../stores/composefs-repo/repository.ts');
    const { problems, ...counts } = await fsckRepo(await openRepo(path), { signal: context.signal });
    const ok = problems.length === 0;
    return {
      ok,
      verdict: {
        word: ok ? 'sound' : 'damaged',
        subject: path,
        ...(!ok && { reason: `${problemCount(problems.length)}, the first: ${problems[0].message}` }),
        facts: [
          { label: 'objects', value: String(counts.objects) },
          { label: 'streams', value: String(counts.streams) },
          { label: 'images', value: String(counts.images) },
          ...problems.slice(0, MAX_SHOWN).map((problem) => ({
            label: problem.code,
            value: `${problem.path}: ${problem.message}`,
          })),
        ],
        ...(!ok && { hint: 'import the images again, into a new repository' }),
      },
      json: { ...counts, problems },
    };
  },
});

/** All of them are in the JSON. */
const MAX_SHOWN = 50;
