/** `bootseal composefs info VERB FILE…`: the verbs of `composefs-info`, printing what it prints. */
import { defineCommand, text, usageError, type Command } from '../../command.ts';

interface Flags {
  readonly basedir?: string;
}

const VERBS = ['ls', 'objects', 'missing-objects', 'measure-file'] as const;
type Verb = (typeof VERBS)[number];

export const command: Command = defineCommand<Flags, string[]>({
  description:
    'ls lists names, objects the paths of contents, missing-objects those that are not in --basedir. measure-file ' +
    'prints the fs-verity digest, SHA-256, of any file. The dump is a command of its own: composefs dump.',
  flags: {
    basedir: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'DIR',
      brief: 'folder of the contents',
    },
  },
  args: [{ parse: text, placeholder: 'VERB FILE', brief: `${VERBS.join(', ')}; then images` }],
  manyArgs: true,
  async run(context, flags, given, ...files) {
    const verb = VERBS.find((name) => name === given);
    if (verb === undefined) {
      throw usageError(
        given === undefined ? 'No command specified' : `Unknown command '${given}'`,
        VERBS.join(', '),
      );
    }
    if (files.length === 0)
      throw usageError(verb === 'measure-file' ? 'No files specified' : 'No image path specified');
    if (verb === 'missing-objects' && flags.basedir === undefined) {
      throw usageError('missing-objects needs --basedir: the folder to look in');
    }
    const lines =
      verb === 'measure-file' ? await measure(files, context.signal) : await show(verb, files, flags);
    return { ok: true, ...(lines.length > 0 && { text: lines.join('\n') }), json: { verb, files, lines } };
  },
});

async function measure(files: readonly string[], signal: AbortSignal): Promise<string[]> {
  const { encodeHex } = await import('../../../bytes/hex.ts');
  const { verityOfFile } = await import('../../../stores/verity-file.ts');
  const lines: string[] = [];
  for (const file of files) lines.push(encodeHex(await verityOfFile(file, 'sha256', { signal })));
  return lines;
}

async function show(
  verb: Exclude<Verb, 'measure-file'>,
  files: readonly string[],
  flags: Flags,
): Promise<string[]> {
  const { readImageFile } = await import('../../../seal/image-file.ts');
  const { listImage, objectsOf } = await import('../../../composefs/image-list.ts');
  const images = [];
  for (const file of files) images.push(await readImageFile(file));
  if (verb === 'ls') return images.flatMap((image) => [...listImage(image)].map((line) => line.slice(0, -1)));
  const { escapeDump } = await import('../../../formats/composefs-dump/writer.ts');
  const objects = objectsOf(images);
  if (verb === 'objects') return objects.map(escapeDump);
  const { isObjectThere } = await import('../../../stores/digest-store.ts');
  return objects.filter((path) => !isObjectThere(flags.basedir ?? '', path)).map(escapeDump);
}
