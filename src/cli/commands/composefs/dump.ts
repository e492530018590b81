/** `bootseal composefs dump IMAGE…`: the dump text of images, as `composefs-info dump` prints it. */
import { defineCommand, text, usageError, type Command } from '../../command.ts';
import { rulesFlag, type RulesFlag } from '../../mkfs-flags.ts';

export const command: Command = defineCommand<RulesFlag, [first: string, ...others: string[]]>({
  description:
    'Prints what an image holds, a line a file, in the form that composefs mkfs reads. By --rules c the text is that ' +
    'of composefs-info to the last byte: it leaves marks of whiteouts among the attributes of their directories.',
  flags: { rules: rulesFlag },
  args: [{ parse: text, placeholder: 'IMAGE', brief: 'composefs image' }],
  manyArgs: true,
  async run(context, flags, ...images) {
    if (images.length === 0) throw usageError('No image path specified');
    const { readImageFile } = await import('../../../seal/image-file.ts');
    const { dumpImage } = await import('../../../composefs/image-dump.ts');
    const { writeStandardOutput } = await import('../../standard-streams.ts');
    const { encodeLatin1 } = await import('../../../bytes/bytes.ts');
    const rules = flags.rules ?? 'strict';
    if (context.json) {
      const dumps = [];
      for (const image of images) {
        const lines = [...dumpImage(await readImageFile(image), rules)].map((line) => line.trimEnd());
        dumps.push({ image, lines });
      }
      return { ok: true, json: { images: dumps } };
    }
    for (const image of images) {
      let pending = '';
      for (const line of dumpImage(await readImageFile(image), rules)) {
        pending += line;
        if (pending.length < 65_536) continue;
        await writeStandardOutput(encodeLatin1(pending));
        pending = '';
      }
      await writeStandardOutput(encodeLatin1(pending));
    }
    return { ok: true };
  },
});
