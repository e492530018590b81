/** `bootseal trust init`: the three files by which machines trust a repository, below a folder or in an image. */
import type { Platform } from '../../formats/oci/descriptor.ts';
import { MATCHES, trustFiles, type Match, type TrustFile } from '../../sign/trust-files.ts';
import { trustOutcome } from '../render/trust.ts';
import { defineCommand, text, usageError, type Command, type Outcome } from '../command.ts';
import type { CliContext } from '../context.ts';
import { platformFlag } from '../platform-flag.ts';
import { transportFlags, transportOptions, type TransportFlags } from '../transport-flags.ts';

interface Flags extends TransportFlags {
  readonly repository: string;
  readonly key: readonly string[];
  readonly match: Match;
  readonly acceptOthers: boolean;
  readonly output?: string;
  readonly from?: string;
  readonly to?: string;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly platform?: Platform;
}

const name = { kind: 'parsed', parse: text, optional: true } as const;

export const command: Command = defineCommand<Flags, []>({
  description:
    'Writes etc/containers/policy.json, etc/containers/registries.d/NAME.yaml and etc/pki/containers/NAME.pub, below ' +
    '--output or, with --from and --to, as one layer on top of an image. The policy rejects every other image unless ' +
    '--accept-others is given: a policy that accepts what it does not know accepts your image under another name too.',
  flags: {
    repository: {
      kind: 'parsed',
      parse: text,
      placeholder: 'NAME',
      brief: 'HOST/PATH of the images, without tag',
    },
    key: {
      kind: 'parsed',
      parse: text,
      variadic: true,
      placeholder: 'FILE',
      brief: 'public key',
    },
    match: {
      kind: 'enum',
      values: MATCHES,
      default: 'digest-or-exact',
      brief: 'which signed names count; cosign’s signatures need repository, which lets any older image pass',
    },
    acceptOthers: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'take other images unsigned',
    },
    output: { ...name, placeholder: 'DIR', brief: 'folder to write below; / for this machine' },
    from: { ...name, placeholder: 'IMAGE', brief: 'image to put the files on top of' },
    to: { ...name, placeholder: 'IMAGE', brief: 'where that image goes' },
    force: { kind: 'boolean', default: false, withNegated: false, brief: 'replace files that are there' },
    dryRun: { kind: 'boolean', default: false, withNegated: false, brief: 'show what would be written' },
    platform: platformFlag,
    ...transportFlags,
  },
  args: [],
  async run(context, flags) {
    const { readPublicKeys } = await import('../../sign/public-key-files.ts');
    const files = trustFiles({ ...flags, keys: await readPublicKeys(flags.key) });
    if (flags.from !== undefined && flags.to !== undefined && flags.output === undefined) {
      if (flags.dryRun) return trustOutcome(flags, flags.to, files, []);
      return intoImage(context, flags, files, flags.from, flags.to);
    }
    if (flags.output === undefined || flags.from !== undefined || flags.to !== undefined) {
      throw usageError('give --output, or --from and --to');
    }
    const { writeTrustFiles } = await import('../../sign/trust-init.ts');
    const written = await writeTrustFiles(files, flags.output, flags);
    const label = flags.dryRun ? 'would write' : 'wrote';
    const done = written.map((value) => ({ label, value }));
    return trustOutcome(flags, flags.output, files, done);
  },
});

async function intoImage(
  context: CliContext,
  flags: Flags,
  files: readonly TrustFile[],
  from: string,
  to: string,
): Promise<Outcome> {
  const { addTrustLayer } = await import('../../sign/trust-init.ts');
  const { parseImageName } = await import('../../formats/reference/image-name.ts');
  const names = { from: parseImageName(from), to: parseImageName(to) };
  const ports = { transport: transportOptions(flags, context), signal: context.signal };
  const result = await addTrustLayer({ ...flags, ...names, files }, ports);
  return trustOutcome(
    flags,
    `${to}@${result.manifest}`,
    files,
    [{ label: 'base', value: result.base }],
    result,
  );
}
