/** `copy SOURCE DESTINATION`: move an image between stores, judged by policy, unchanged. */
import { parseImageName } from '../../formats/reference/image-name.ts';
import { defineCommand, imageArgument, text, type Command } from '../command.ts';
import { choiceFlags, choices, type ChoiceFlags } from '../copy-choices.ts';
import {
  chosenPlatform,
  destinationOptions,
  endFlags,
  platformFlags,
  sourceOptions,
  type EndFlags,
  type PlatformFlags,
} from '../copy-flags.ts';
import { copySigners, copySignFlags, type CopySignFlags } from '../copy-signers.ts';
import type { CopyRequest } from '../../sign/copy.ts';

interface Flags extends EndFlags, PlatformFlags, ChoiceFlags, CopySignFlags {
  readonly preserveDigests: boolean;
  readonly removeSignatures: boolean;
  readonly policy?: string;
  readonly insecurePolicy: boolean;
  readonly 'registries.d'?: string;
  readonly digestfile?: string;
}

const flag = { kind: 'boolean', default: false, withNegated: false } as const;
const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;

export const command: Command = defineCommand<Flags, [source: string, destination: string]>({
  description:
    'Manifests are never changed, so digests and signatures hold: --preserve-digests is always in force. The policy ' +
    'judges the source before anything is written. Signatures come along where the destination can keep them.',
  aliases: { a: 'all' },
  flags: {
    ...choiceFlags,
    preserveDigests: { ...flag, brief: 'accepted for skopeo scripts: always in force' },
    removeSignatures: { ...flag, brief: 'leave signatures behind' },
    policy: { ...file, brief: 'policy.json to judge the source by, instead of the system’s' },
    insecurePolicy: { ...flag, brief: 'accept any source' },
    'registries.d': {
      ...file,
      placeholder: 'DIR',
      brief: 'where signatures are kept, instead of the system’s',
    },
    digestfile: { ...file, brief: 'write the digest of the copy here' },
    ...copySignFlags,
    ...platformFlags,
    ...endFlags,
  },
  args: [imageArgument('SOURCE'), imageArgument('DESTINATION')],
  async run(context, flags, source, destination) {
    const { copyImage } = await import('../../sign/copy.ts');
    const { prepareAdmit } = await import('../../verify/admit.ts');
    const { loadRegistriesConfig } = await import('../../stores/trust-files/registries-d.ts');
    const request: CopyRequest = {
      from: parseImageName(source),
      to: parseImageName(destination),
      ...choices(flags),
      removeSignatures: flags.removeSignatures,
      ...chosenPlatform(flags),
    };
    const directory = flags['registries.d'];
    const registries = await loadRegistriesConfig({
      env: context.env,
      ...(directory !== undefined && { directory }),
    });
    const signers = await copySigners(context, flags, request.to);
    const { from: image } = request;
    const { policy: policyFile } = flags;
    const admit = flags.insecurePolicy
      ? undefined
      : await prepareAdmit(
          { image, ...(policyFile !== undefined && { policyFile }) },
          { env: context.env, registries },
        );
    const result = await copyImage(request, {
      registries,
      signers,
      ...(admit && { admit }),
      sourceTransport: sourceOptions(flags, context),
      destinationTransport: destinationOptions(flags, context),
      progress: await context.progress(),
      signal: context.signal,
    });
    if (flags.digestfile !== undefined && !flags.dryRun) {
      const { writeFileAtomic } = await import('../../stores/atomic-write.ts');
      await writeFileAtomic(flags.digestfile, [Buffer.from(`${result.digest}\n`)]);
    }
    const { steps, verdicts: _, ...json } = result;
    return {
      ok: true,
      verdict: { word: flags.dryRun ? 'would copy' : 'copied', subject: `${destination}  ${result.digest}` },
      stepsFirst: true,
      steps,
      json,
    };
  },
});
