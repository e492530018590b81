/** `composefs repo list REPO`: the images of a repository, with the digests that they are mounted by. */
import { escapeText } from '../../../bytes/printable.ts';
import { defineCommand, text, type Command, type NoFlags } from '../../command.ts';

export const command: Command = defineCommand<NoFlags, [repo: string]>({
  flags: {},
  args: [{ parse: text, placeholder: 'REPO', brief: 'folder of the repository' }],
  async run(_context, _flags, path) {
    const { listRepo } = await import('../../../host/repository/list.ts');
    const { openRepo } = await import('../../../stores/composefs-repo/repository.ts');
    const images = await listRepo(await openRepo(path));
    const lines = images.flatMap(({ tag, manifest, layers, images: kept }) => [
      `${escapeText(tag)}  ${manifest}  ${layers} ${layers === 1 ? 'layer' : 'layers'}`,
      ...[...kept].map(([name, digest]) => `  ${escapeText(name)}  ${digest}`),
    ]);
    return {
      ok: true,
      text: lines.length === 0 ? 'no images' : lines.join('\n'),
      json: {
        images: images.map(({ images: kept, ...rest }) => ({ ...rest, images: Object.fromEntries(kept) })),
      },
    };
  },
});
