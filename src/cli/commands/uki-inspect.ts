/** `bootseal uki inspect FILE`: sections, sizes, hashes and texts, as `ukify inspect` shows them. */
import { defineCommand, text, type Command, type NoFlags } from '../command.ts';

export const command: Command = defineCommand<NoFlags, [file: string]>({
  description:
    'Shows what is in a UKI, an addon or a profile. The signature is not looked at: see uki verify.',
  flags: {},
  args: [{ parse: text, placeholder: 'FILE', brief: 'PE file' }],
  async run(_context, _flags, file) {
    const { readBootFile } = await import('../../stores/boot-file.ts');
    const { inspectUki } = await import('../../uki/inspect.ts');
    const { inspectJson, inspectText } = await import('../../uki/inspect-output.ts');
    const info = inspectUki(await readBootFile(file), { anyLayout: true });
    return { ok: true, text: inspectText(info), json: { file, ...inspectJson(info) } };
  },
});
