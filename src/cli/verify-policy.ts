/** `verify` by policy.json: one image, several, or one that lies in a folder. */
import type { ImageName } from '../formats/reference/image-name.ts';
import type { ImageSource } from '../stores/image.ts';
import type { VerifyManyRequest } from '../verify/verify-many.ts';
import type { VerifyResult } from '../verify/verify.ts';
import { usageError, type Outcome } from './command.ts';
import type { CliContext } from './context.ts';
import { policyFiles } from './policy-flags.ts';
import { transportOptions } from './transport-flags.ts';
import type { VerifyFlags } from './verify-flags.ts';

export function verifyRequest(flags: VerifyFlags): VerifyManyRequest {
  return {
    all: flags.all,
    requireSigned: flags.requireSigned,
    ...policyFiles(flags),
    ...(flags.platform && { platform: flags.platform }),
    ...(flags.as !== undefined && flags.as !== 'cosign' && { as: flags.as }),
  };
}

export async function verifyOne(context: CliContext, flags: VerifyFlags, image: string): Promise<Outcome> {
  const [{ verifyImage }, { parseImageName }] = await Promise.all([
    import('../verify/verify.ts'),
    import('../formats/reference/image-name.ts'),
  ]);
  const name = parseImageName(image);
  const result = await verifyImage(
    { ...verifyRequest(flags), image: name },
    { transport: transportOptions(flags, context), env: context.env },
  );
  return outcomeOf(context, flags, name, result);
}

/** `--offline DIR --identity REF`. */
export async function verifyOffline(
  context: CliContext,
  flags: VerifyFlags,
  folder: string,
): Promise<Outcome> {
  const identity = flags.identity ?? '';
  const [{ verifyImage }, { parseImageName, formatImageName }, offline, { loadRegistriesConfig }] =
    await Promise.all([
      import('../verify/verify.ts'),
      import('../formats/reference/image-name.ts'),
      import('../verify/offline.ts'),
      import('../stores/trust-files/registries-d.ts'),
    ]);
  const image = parseImageName(identity);
  if (image.transport !== 'docker') {
    throw usageError(
      '--identity is the name that the image has in its registry',
      '--identity quay.io/acme/os:10',
    );
  }
  const name = await offline.localName(folder);
  const source: ImageSource = await offline.openOffline(name, image.reference, context.signal);
  try {
    const request = verifyRequest(flags);
    const directory = request.registriesDirectory;
    const registries = offline.withAttachments(
      await loadRegistriesConfig({ env: context.env, ...(directory !== undefined && { directory }) }),
    );
    const result = await verifyImage({ ...request, image }, { source, registries, env: context.env });
    const outcome = await outcomeOf(context, flags, image, result);
    return { ...outcome, json: { ...outcome.json, folder: formatImageName(name) } };
  } finally {
    await source.close();
  }
}

export async function verifyMany(
  context: CliContext,
  flags: VerifyFlags,
  images: readonly string[],
): Promise<Outcome> {
  const [{ exitOfMany, verifyImages }, { parseImageName }, many] = await Promise.all([
    import('../verify/verify-many.ts'),
    import('../formats/reference/image-name.ts'),
    import('./render/many.ts'),
  ]);
  const results = await verifyImages(images.map(parseImageName), verifyRequest(flags), {
    transport: transportOptions(flags, context),
    env: context.env,
  });
  const exit = exitOfMany(results);
  const counts = many.countMany(results);
  return {
    ok: exit === 0,
    exit,
    verdict: {
      word: exit === 0 ? 'accepted' : exit === 1 ? 'refused' : 'could not decide',
      subject: `${images.length} images: ${many.manySummary(counts)}`,
    },
    steps: many.manySteps(results),
    json: { counts, images: many.manyJson(results) },
  };
}

async function outcomeOf(
  context: CliContext,
  flags: VerifyFlags,
  name: ImageName,
  result: VerifyResult,
): Promise<Outcome> {
  // Not judged at all is not the same as refused.
  if (result.reasonCode === 'policy/unsupported-requirement') {
    throw (await import('../verify/admit.ts')).refusal(result.verdict);
  }
  const { formatImageName } = await import('../formats/reference/image-name.ts');
  for (const scope of result.verdict.scopesTried) context.detail(`looked up ${scope}`);
  const [signature, ...further] = result.steps;
  const word = result.allowed ? (result.verified ? 'accepted' : 'accepted, unverified') : 'refused';
  return {
    ok: result.allowed,
    verdict: {
      word,
      subject: formatImageName(name).replace(/^docker:\/\//, ''),
      ...(result.message !== undefined && { reason: result.message }),
      facts: signature.details ?? [],
      ...(signature.hint !== undefined && { hint: signature.hint }),
    },
    // For people the verdict has said what the first step says.
    steps: context.json ? result.steps : further,
    json: {
      image: formatImageName(name),
      ...(flags.as !== undefined && { as: flags.as }),
      allowed: result.allowed,
      verified: result.verified,
      pinnedDigest: result.pinnedDigest,
      ...(result.reasonCode !== undefined && { reasonCode: result.reasonCode }),
      ...(result.message !== undefined && { message: result.message }),
      judged: result.judged.map(({ role, platform, verdict, lookedIn }) => ({
        role,
        platform,
        verdict,
        lookedIn,
      })),
    },
  };
}
