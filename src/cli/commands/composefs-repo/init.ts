/** `composefs repo init REPO`: make a repository as bootc and cfsctl use it. */
import { defineCommand, text, type Command } from '../../command.ts';

interface Flags {
  readonly hash: 'sha256' | 'sha512';
  readonly erofs: 'v0' | 'v1' | 'v2';
  readonly insecure: boolean;
}

export const command: Command = defineCommand<Flags, [repo: string]>({
  description:
    'Makes the folder and its meta.json. Unless --insecure is given, fs-verity is enabled on meta.json, which says ' +
    'that the kernel checks every object; the file system has to support it. A repository of the same kind that is ' +
    'there already is left as it is.',
  flags: {
    hash: { kind: 'enum', values: ['sha256', 'sha512'], default: 'sha512', brief: 'hash of fs-verity' },
    erofs: { kind: 'enum', values: ['v0', 'v1', 'v2'], default: 'v1', brief: 'version of the image format' },
    insecure: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'without fs-verity: the kernel checks nothing',
    },
  },
  args: [{ parse: text, placeholder: 'REPO', brief: 'folder of the repository' }],
  async run(_context, { hash, erofs, insecure }, path) {
    const { createRepo } = await import('../../../stores/composefs-repo/repository.ts');
    const imageVersion = ({ v0: 0, v1: 1, v2: 2 } as const)[erofs];
    const { meta, verity } = await createRepo(path, { algorithm: hash, imageVersion, insecure });
    return {
      ok: true,
      verdict: {
        word: 'repository',
        subject: path,
        facts: [
          { label: 'algorithm', value: `fsverity-${meta.algorithm}-12` },
          { label: 'images', value: `version ${meta.imageVersion}` },
          { label: 'verity', value: verity ? 'required' : 'not required (insecure)' },
        ],
      },
      json: { path, algorithm: meta.algorithm, imageVersion: meta.imageVersion, verity },
    };
  },
});
