/** `bootseal composefs mkfs SOURCE [IMAGE]`: a composefs image of a dump text or a directory, as `mkcomposefs` makes it. */
import type { ImageRules } from '../../../composefs/image-rules.ts';
import type { ComposefsImage, ComposefsImageOptions } from '../../../seal/composefs-image.ts';
import { BootsealError, isBootsealError } from '../../../errors.ts';
import { defineCommand, text, usageError, type Command } from '../../command.ts';
import { mkfsFlags, type MkfsFlags } from '../../mkfs-flags.ts';

export const command: Command = defineCommand<MkfsFlags, [source: string, image?: string]>({
  description:
    'Makes a composefs image: metadata, and files of up to 64 bytes. The options are those of mkcomposefs. Where C ' +
    'mkcomposefs and composefs-rs would make different images, nothing is made unless --rules says whose to make.',
  flags: mkfsFlags,
  args: [
    {
      parse: text,
      placeholder: 'SOURCE',
      brief: 'directory; with --from-file a dump text, - for standard input',
    },
    { parse: text, placeholder: 'IMAGE', brief: 'image to write, - for standard output', optional: true },
  ],
  async run(context, flags, source, image) {
    checkUsage(flags, image, context.json);
    const rules: ImageRules = flags.rules ?? 'strict';
    const options: ComposefsImageOptions = { algorithm: flags.hash, rules, ...versionsOf(flags) };
    const result = await makeImage(source, flags, options, context.signal);
    if (image === '-') {
      const { writeStandardOutput } = await import('../../standard-streams.ts');
      await writeStandardOutput(result.bytes);
      return { ok: true };
    }
    if (image !== undefined) {
      const { writeFileAtomic } = await import('../../../stores/atomic-write.ts');
      await writeFileAtomic(image, [result.bytes]);
    }
    const { digest, version, bytes } = result;
    return {
      ok: true,
      ...((flags.printDigest || flags.printDigestOnly) && { value: digest }),
      json: { digest, algorithm: flags.hash, version, bytes: bytes.length },
    };
  },
});

async function makeImage(
  source: string,
  flags: MkfsFlags,
  options: ComposefsImageOptions,
  signal: AbortSignal,
): Promise<ComposefsImage> {
  const { imageFromDump, imageFromTree } = await import('../../../seal/composefs-image.ts');
  if (flags.fromFile) {
    const { readPieces } = await import('../../standard-streams.ts');
    try {
      return await imageFromDump(readPieces(source, signal), options);
    } catch (error) {
      throw inFile(error, source);
    }
  }
  const { treeOfDirectory } = await import('../../../seal/composefs-directory.ts');
  const tree = await treeOfDirectory(source, {
    algorithm: flags.hash,
    rules: options.rules,
    hardlinks: flags.hardlinks,
    useEpoch: flags.useEpoch,
    skipDevices: flags.skipDevices,
    ...(flags.skipXattrs && { xattrs: 'none' }),
    ...(flags.userXattrs && { xattrs: 'user' }),
    ...(flags.digestStore !== undefined && { digestStore: flags.digestStore }),
    signal,
  });
  return imageFromTree(tree, options);
}

/** A line is one of a file. */
function inFile(error: unknown, source: string): unknown {
  if (!isBootsealError(error) || error.where?.startsWith('line ') !== true) return error;
  const { code, message, where, hint, offset, exit } = error;
  const file = source === '-' ? 'standard input' : source;
  return new BootsealError(code, message, { where: `${file}, ${where}`, hint, offset, exit, cause: error });
}

/** As the C program counts: none given is 0 to 1, one given makes the other 0, and never less than the least. */
function versionsOf(flags: MkfsFlags): { readonly minVersion: number; readonly maxVersion: number } {
  if (flags.minVersion === undefined && flags.maxVersion === undefined)
    return { minVersion: 0, maxVersion: 1 };
  const minVersion = flags.minVersion ?? 0;
  return { minVersion, maxVersion: Math.max(flags.maxVersion ?? 0, minVersion) };
}

function checkUsage(flags: MkfsFlags, image: string | undefined, json: boolean): void {
  if (flags.printDigestOnly && image !== undefined) {
    throw usageError('Cannot specify destination path with --print-digest-only');
  }
  if (!flags.printDigestOnly && image === undefined) throw usageError('No destination path specified');
  if (image === '-' && flags.printDigest) throw usageError('--print-digest and an image on standard output');
  if (image === '-' && process.stdout.isTTY) {
    throw usageError('stdout is a tty.  Refusing to use it');
  }
  if (image === '-' && json) throw usageError('--json and an image on standard output');
  if (flags.skipXattrs && flags.userXattrs) throw usageError('--skip-xattrs and --user-xattrs');
  const ofDirectories: readonly (readonly [string, boolean])[] = [
    ['--use-epoch', flags.useEpoch],
    ['--skip-devices', flags.skipDevices],
    ['--skip-xattrs', flags.skipXattrs],
    ['--user-xattrs', flags.userXattrs],
    ['--hardlinks', flags.hardlinks],
    ['--digest-store', flags.digestStore !== undefined],
  ];
  const wrong = ofDirectories.find(([, given]) => given && flags.fromFile)?.[0];
  if (wrong !== undefined)
    throw usageError(`${wrong} is for directories, and --from-file says that this is none`);
}
