/** `bootseal composefs fsck IMAGE…`: is it an image as composefs writes them? */
import { defineCommand, text, usageError, type Command, type NoFlags } from '../../command.ts';
import { problemCount } from '../../render/units.ts';

/** All of them are in the JSON. */
const MAX_SHOWN = 50;

export const command: Command = defineCommand<NoFlags, [first: string, ...others: string[]]>({
  description:
    'Reads images whole and lists everything that is wrong with them: bounds, overlaps, cycles, counts, the order of ' +
    'names, attributes, bytes that nothing refers to. Exits with 1 when there is anything. Contents kept elsewhere ' +
    'are not looked at.',
  flags: {},
  args: [{ parse: text, placeholder: 'IMAGE', brief: 'composefs image' }],
  manyArgs: true,
  async run(_context, _flags, ...images) {
    if (images.length === 0) throw usageError('No image path specified');
    const { checkImageFile } = await import('../../../seal/image-file.ts');
    const results = [];
    for (const image of images) results.push({ image, ...(await checkImageFile(image)) });
    const problems = results.flatMap(({ image, problems: found }) =>
      found.map((problem) => ({ image, ...problem })),
    );
    const ok = problems.length === 0;
    return {
      ok,
      verdict: {
        word: ok ? 'sound' : 'damaged',
        subject: images.join(', '),
        ...(!ok && { reason: `${problemCount(problems.length)}, the first: ${problems[0].message}` }),
        facts: [
          ...results.map(({ image, version, inodes }) => ({
            label: 'inodes',
            value: version === undefined ? `${image}: unreadable` : `${image}: ${inodes}, version ${version}`,
          })),
          ...problems.slice(0, MAX_SHOWN).map(({ image, code, message, where }) => ({
            label: code,
            value: images.length === 1 ? `${where}: ${message}` : `${image}, ${where}: ${message}`,
          })),
        ],
      },
      json: { images: results },
    };
  },
});
