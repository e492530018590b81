/** `bootseal sign --replace-key`: many images from an old key to a new one. */
import type { ReplacedImage } from '../sign/replace-key.ts';
import { usageError, type Outcome } from './command.ts';
import type { CliContext } from './context.ts';
import { imagesOf, keyOf, signOptions, type SignFlags } from './sign-flags.ts';
import { transportOptions } from './transport-flags.ts';

/** `--replace-key OLD`: what the old key signed is signed with the new one, and then the old signatures go. */
export async function replaceSignatures(
  context: CliContext,
  flags: SignFlags,
  oldFile: string,
  given: readonly string[],
): Promise<Outcome> {
  const extra =
    flags.all ||
    flags.dryRun ||
    [flags.format, flags.signIdentity, flags.signBy].some((given) => given !== undefined);
  if (extra)
    throw usageError(
      '--replace-key signs what the old key signed: no --all, --format, --sign-by, --sign-identity, --dry-run',
    );
  const listed = await imagesOf(given, flags.imagesFrom, context.signal);
  if (listed.length === 0) throw usageError('name images, or a list of them: --images-from FILE');
  const [{ replaceKey }, { readPublicKeys }, { parseImageName }] = await Promise.all([
    import('../sign/replace-key.ts'),
    import('../sign/public-key-files.ts'),
    import('../formats/reference/image-name.ts'),
  ]);
  const images = listed.map(parseImageName);
  const [oldKey] = await readPublicKeys([oldFile]);
  const { keepOld } = flags;
  const result = await replaceKey(
    { images, oldKey, keepOld, options: signOptions(context) },
    {
      newKey: await keyOf(context, flags),
      transport: transportOptions(flags, context),
      signal: context.signal,
      onImage: ({ image, state }) => context.detail(`${state} ${image}`),
    },
  );
  const failed = result.images.filter(({ state }) => state === 'failed').length;
  const subject = `${result.images.length - failed} of ${result.images.length} images`;
  // Where nothing is known to be wrong and something could not be found out.
  const undecided =
    failed > 0 && !result.images.some(({ state, error }) => state === 'failed' && error?.exit === 1);
  return {
    ok: result.ok,
    ...(undecided && { exit: 3 as const }),
    stepsFirst: true,
    verdict: { word: 'replaced', subject },
    steps: result.steps,
    json: { images: result.images.map(jsonOf) },
  };
}

function jsonOf({ error, ...image }: ReplacedImage): object {
  return { ...image, ...(error && { error: { code: error.code, message: error.message } }) };
}
