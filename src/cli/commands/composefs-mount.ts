/** `composefs mount REPO IMAGE TARGET`: show an image of a repository as a file tree, checked by the kernel. */
import { escapeText } from '../../bytes/printable.ts';
import { defineCommand, text, type Command } from '../command.ts';

interface Flags {
  readonly insecure: boolean;
  readonly backing?: 'file' | 'loop';
  readonly dryRun: boolean;
}

const flag = { kind: 'boolean', default: false, withNegated: false } as const;

export const command: Command = defineCommand<Flags, [repo: string, image: string, target: string]>({
  description:
    'Checks the image, then mounts it with verity=require: the kernel compares every file with the digest in the ' +
    'image before it gives out a byte. Says which check failed where kernel or file system cannot do that. Takes ' +
    'root; --dry-run prints the mount calls and takes none.',
  flags: {
    insecure: { ...flag, brief: 'mount without the kernel’s checks' },
    backing: {
      kind: 'enum',
      values: ['file', 'loop'],
      optional: true,
      brief: 'EROFS straight from its file (Linux 6.12) or through a loop device',
    },
    dryRun: { ...flag, brief: 'print the mount calls, run none' },
  },
  args: [
    { parse: text, placeholder: 'REPO', brief: 'folder of the repository' },
    { parse: text, placeholder: 'IMAGE', brief: 'digest of the composefs image' },
    { parse: text, placeholder: 'TARGET', brief: 'folder to mount it on' },
  ],
  async run(_context, { insecure, backing, dryRun }, path, image, target) {
    const { mountImage } = await import('../../host/repository/mount.ts');
    const { openRepo } = await import('../../stores/composefs-repo/repository.ts');
    const repo = await openRepo(path);
    const result = await mountImage({ repo, image, target, insecure, dryRun, ...(backing && { backing }) });
    const commands = result.commands.map(({ program, args }) => [program, ...args].join(' '));
    return {
      ok: true,
      stepsFirst: true,
      steps: result.steps,
      ...(dryRun
        ? { text: commands.map(escapeText).join('\n') }
        : { verdict: { word: 'mounted', subject: target } }),
      json: { mounted: result.mounted, commands },
    };
  },
});
