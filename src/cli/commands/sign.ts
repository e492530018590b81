/** `bootseal sign IMAGE…`: attach signatures to an image in its registry, or replace those of an old key on many. */
import { defineCommand, imageArgument, usageError, type Command, type Outcome } from '../command.ts';
import type { CliContext } from '../context.ts';
import { formsOf, keyOf, signFlags, signOptions, simpleSignerOf, type SignFlags } from '../sign-flags.ts';
import { transportOptions } from '../transport-flags.ts';

export const command: Command = defineCommand<SignFlags, string[]>({
  description:
    'Signs the digest that the name means now, under that name, and adds the signature to those that are there, both ' +
    'as the attachment that podman, skopeo and bootc read and as the bundle that cosign 3 looks for; the result says ' +
    'which tools will accept it. With --sign-by also, or only, a simple signature by a key of gpg, for the look-aside ' +
    'store of registries.d. A second run with the same key changes nothing. The attachment is written whatever ' +
    'registries.d says; a warning tells when readers with the settings of this machine would not look for it.\n' +
    'With --replace-key: new signatures first, checked in the registry, then the old ones go. Cut off at any moment, ' +
    'every image has a valid signature, and the same command finishes the work.',
  flags: signFlags,
  args: [imageArgument('IMAGE')],
  manyArgs: true,
  async run(context, flags, ...images) {
    if (flags.replaceKey !== undefined) {
      const { replaceSignatures } = await import('../replace-key.ts');
      return replaceSignatures(context, flags, flags.replaceKey, images);
    }
    if (flags.imagesFrom !== undefined || flags.keepOld) {
      throw usageError('--images-from and --keep-old go with --replace-key');
    }
    const [image, ...more] = images;
    if (image === undefined || more.length > 0) {
      throw usageError(
        'name one image; several only with --replace-key',
        'bootseal sign --sign-by-sigstore-private-key KEY IMAGE',
      );
    }
    return signOne(context, flags, image);
  },
});

async function signOne(context: CliContext, flags: SignFlags, image: string): Promise<Outcome> {
  const [{ signImage }, { parseSignIdentity }, names, { loadRegistriesConfig }] = await Promise.all([
    import('../../sign/sign.ts'),
    import('../../sign/sign-manifest.ts'),
    import('../../formats/reference/image-name.ts'),
    import('../../stores/trust-files/registries-d.ts'),
  ]);
  const name = names.parseImageName(image);
  const identity = flags.signIdentity === undefined ? undefined : parseSignIdentity(flags.signIdentity);
  const directory = flags['registries.d'];
  const registries = await loadRegistriesConfig({
    env: context.env,
    ...(directory !== undefined && { directory }),
  });
  const forms = formsOf(flags);
  const options = signOptions(context);
  const simple =
    name.transport === 'docker'
      ? await simpleSignerOf(context, flags, { repository: name.reference, registries, options })
      : undefined;
  const key = forms.some((form) => form !== 'simple') ? await keyOf(context, flags) : undefined;
  const result = await signImage(
    {
      image: name,
      ...(identity && { identity }),
      all: flags.all,
      dryRun: flags.dryRun,
      forms,
      options,
    },
    {
      ...(key && { key }),
      ...(simple && { simple }),
      registries,
      transport: transportOptions(flags, context),
      signal: context.signal,
    },
  );
  const { steps, ...json } = result;
  return {
    ok: true,
    verdict: {
      word: flags.dryRun ? 'not signed (dry run)' : 'signed',
      subject: names.formatImageName(name).replace(/^docker:\/\//, ''),
      facts: [
        { label: 'digest', value: `${result.pinnedDigest}  (pinned: use this in later steps)` },
        { label: 'identity', value: result.identity },
        { label: 'key', value: result.keyFingerprint },
      ],
    },
    steps,
    json,
  };
}
