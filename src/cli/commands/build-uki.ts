/** `bootseal build-uki --from IMAGE --output FILE`: the unsigned UKI, for a signer elsewhere. */
import { defineCommand, text, usageError, type Command, type Outcome } from '../command.ts';
import type { CliContext } from '../context.ts';
import {
  chosenBootloader,
  chosenStub,
  openBase,
  sealFlags,
  sealPorts,
  ukiFlags,
  type SealFlags,
  type UkiFlags,
} from '../seal-flags.ts';

interface Flags extends SealFlags, UkiFlags {
  readonly output?: string;
  readonly extractSystemdBoot?: string;
}

const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;

export const command: Command = defineCommand<Flags, []>({
  description:
    'The UKI holds kernel, initramfs and os-release of the image, and a command line with the composefs digest that ' +
    'the sealed image will have. Sign it wherever the key is, then run seal-with-uki. systemd-boot is part of that ' +
    'digest: sign it first, and give the signed file to both commands with --systemd-boot.',
  aliases: { o: 'output' },
  flags: {
    ...sealFlags,
    ...ukiFlags,
    output: { ...file, brief: 'the UKI' },
    extractSystemdBoot: { ...file, brief: 'write the image’s systemd-boot instead, to be signed first' },
  },
  args: [],
  run(context, flags) {
    const { output, extractSystemdBoot } = flags;
    if ((output === undefined) === (extractSystemdBoot === undefined)) {
      throw usageError('give either --output FILE or --extract-systemd-boot FILE');
    }
    return output === undefined
      ? extract(context, flags, extractSystemdBoot ?? '')
      : build(context, flags, output);
  },
});

async function build(context: CliContext, flags: Flags, output: string): Promise<Outcome> {
  const { buildUki } = await import('../../seal/build-uki.ts');
  const { writeFileAtomic } = await import('../../stores/atomic-write.ts');
  const { additionalKargs, platform } = flags;
  const source = await openBase(flags, context);
  try {
    const result = await buildUki(
      {
        source,
        ...(platform && { platform }),
        ...(additionalKargs !== undefined && { additionalKargs }),
        ...(await chosenStub(flags, context)),
        ...(await chosenBootloader(flags)),
      },
      await sealPorts(flags, context),
    );
    await writeFileAtomic(output, result.uki);
    const { uki: _, steps, ...json } = result;
    return { ok: true, verdict: { word: 'built', subject: output }, stepsFirst: true, steps, json };
  } finally {
    await source.close();
  }
}

async function extract(context: CliContext, flags: Flags, file: string): Promise<Outcome> {
  const { bootloaderOf } = await import('../../seal/build-uki.ts');
  const { writeFileAtomic } = await import('../../stores/atomic-write.ts');
  const source = await openBase(flags, context);
  try {
    const { path, bytes } = await bootloaderOf(source, flags.platform, await sealPorts(flags, context));
    await writeFileAtomic(file, [bytes]);
    const facts = [{ label: 'from', value: `/${path}` }];
    return { ok: true, verdict: { word: 'extracted', subject: file, facts }, json: { output: file, path } };
  } finally {
    await source.close();
  }
}
