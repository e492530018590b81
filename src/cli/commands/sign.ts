/** `bootseal sign IMAGE`: attach a sigstore signature to an image in its registry. */
import { defineCommand, imageArgument, text, type Command } from '../command.ts';
import { transportFlags, transportOptions, type TransportFlags } from '../transport-flags.ts';
import { packageVersion } from '../version.ts';

interface Flags extends TransportFlags {
  readonly signBySigstorePrivateKey: string;
  readonly signPassphraseFile?: string;
  readonly signIdentity?: string;
  readonly 'registries.d'?: string;
  readonly all: boolean;
  readonly dryRun: boolean;
}

export const command: Command = defineCommand<Flags, [image: string]>({
  description:
    'Signs the digest that the name means now, under that name, and adds the signature to those that are there. ' +
    'A second run with the same key changes nothing. The signature is written whatever registries.d says; a warning ' +
    'tells when readers with the settings of this machine would not look for it.',
  flags: {
    signBySigstorePrivateKey: {
      kind: 'parsed',
      parse: text,
      placeholder: 'FILE',
      brief: 'encrypted private key, made by bootseal, skopeo or cosign',
    },
    signPassphraseFile: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'its first line is the passphrase; otherwise it is asked for',
    },
    signIdentity: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'REFERENCE',
      brief: 'name to sign instead of the image’s own',
    },
    'registries.d': {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'DIR',
      brief: 'registries.d to check for the warning',
    },
    all: {
      kind: 'boolean',
      default: false,
      withNegated: false,
      brief: 'sign every instance of an index too',
    },
    dryRun: { kind: 'boolean', default: false, withNegated: false, brief: 'tell what would be signed' },
    ...transportFlags,
  },
  args: [imageArgument('IMAGE')],
  async run(context, flags, image) {
    const [{ signImage }, { loadPrivateKey }, { parseSignIdentity }, names, { loadRegistriesConfig }] =
      await Promise.all([
        import('../../sign/sign.ts'),
        import('../../sign/private-key-file.ts'),
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
    const key = await loadPrivateKey(
      {
        keyFile: flags.signBySigstorePrivateKey,
        ...(flags.signPassphraseFile !== undefined && { passphraseFile: flags.signPassphraseFile }),
      },
      (question) => context.askSecret(question),
    );
    const result = await signImage(
      {
        image: name,
        ...(identity && { identity }),
        all: flags.all,
        dryRun: flags.dryRun,
        options: { creator: `bootseal ${packageVersion()}`, timestamp: signingTime(context.env) },
      },
      { key, registries, transport: transportOptions(flags, context), signal: context.signal },
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
  },
});

/** Seconds; SOURCE_DATE_EPOCH where a build must give the same bytes again. */
function signingTime(env: NodeJS.ProcessEnv): number {
  const epoch = env['SOURCE_DATE_EPOCH'];
  return epoch !== undefined && /^\d{1,11}$/.test(epoch) ? Number(epoch) : Math.floor(Date.now() / 1000);
}
