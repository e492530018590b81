/** Options that `seal`, `build-uki` and `seal-with-uki` share, and what they open for their jobs. */
import type { FlagParametersForType } from '@stricli/core';
import { isBootsealError } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import { parseImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { Admit, SealPorts } from '../seal/base.ts';
import type { SealResult } from '../seal/finish.ts';
import type { ImageSource } from '../stores/image.ts';
import { text, type Outcome } from './command.ts';
import type { CliContext } from './context.ts';
import { endFlags, sourceOptions, type EndFlags } from './copy-flags.ts';
import { platformFlag } from './platform-flag.ts';

export interface SealFlags extends EndFlags {
  readonly from: string;
  readonly policy?: string;
  readonly insecurePolicy: boolean;
  readonly 'registries.d'?: string;
  readonly platform?: Platform;
  readonly systemdBoot?: string;
}

/** Of the commands that make a UKI. */
export interface UkiFlags {
  readonly additionalKargs?: string;
  readonly stub?: string;
  readonly stubFrom?: string;
}

const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;

export const imageFlag = { kind: 'parsed', parse: text, placeholder: 'IMAGE' } as const;

export const sealFlags: FlagParametersForType<SealFlags> = {
  from: {
    ...imageFlag,
    brief: 'the image to seal: one kernel below /usr/lib/modules, with its initramfs.img',
  },
  policy: { ...file, brief: 'policy.json to judge that image by, instead of the system’s' },
  insecurePolicy: { kind: 'boolean', default: false, withNegated: false, brief: 'do not judge it' },
  'registries.d': { ...file, placeholder: 'DIR', brief: 'registries.d to use instead of the system’s' },
  platform: platformFlag,
  systemdBoot: { ...file, brief: 'signed systemd-boot to put in the place of the image’s own' },
  ...endFlags,
};

export const ukiFlags: FlagParametersForType<UkiFlags> = {
  additionalKargs: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'KARGS',
    brief: 'kernel arguments after those of the image and composefs=',
  },
  stub: { ...file, brief: 'EFI stub to use instead of the image’s own' },
  stubFrom: { ...imageFlag, optional: true, brief: 'image to take the EFI stub from' },
};

const flag = { kind: 'boolean', default: false, withNegated: false } as const;

export const embedDump = {
  ...flag,
  brief: 'store a dump of the sealed tree, so that verify can name what changed',
} as const;

export const dryRun = { ...flag, brief: 'do everything but write, and say what would be written' } as const;

export async function openBase(flags: SealFlags, context: CliContext): Promise<ImageSource> {
  const { openSource } = await import('../stores/open.ts');
  return openSource(parseImageName(flags.from), sourceOptions(flags, context));
}

export async function sealPorts(flags: SealFlags, context: CliContext): Promise<SealPorts> {
  const { openLayerPorts } = await import('../stores/layer-ports.ts');
  const { layerProgress } = await import('./layer-progress.ts');
  const admit = flags.insecurePolicy ? undefined : await admitBase(flags, context);
  return {
    openLayerPorts,
    signal: context.signal,
    onProgress: await layerProgress(context),
    ...(admit && { admit }),
  };
}

/** A machine without any policy.json builds images too; a policy that was asked for must be there. */
async function admitBase(flags: SealFlags, context: CliContext): Promise<Admit | undefined> {
  const { admitAsStep, prepareAdmit } = await import('../verify/admit.ts');
  const { policy, 'registries.d': directory } = flags;
  const image: ImageName = parseImageName(flags.from);
  try {
    const admit = await prepareAdmit(
      {
        image,
        ...(policy !== undefined && { policyFile: policy }),
        ...(directory !== undefined && { registriesDirectory: directory }),
      },
      { env: context.env },
    );
    return admitAsStep(admit, { id: 'base', title: 'base' });
  } catch (error) {
    if (policy === undefined && isBootsealError(error) && error.code === 'policy/not-found') return undefined;
    throw error;
  }
}

/** The stub that the options name, or undefined: the image's own. */
export async function chosenStub(
  flags: SealFlags & UkiFlags,
  context: CliContext,
): Promise<{ readonly stub?: Uint8Array }> {
  if (flags.stub !== undefined) return { stub: await readProgram(flags.stub) };
  if (flags.stubFrom === undefined) return {};
  const { openSource } = await import('../stores/open.ts');
  const { stubOfImage } = await import('../seal/stub-of-image.ts');
  const { openLayerPorts } = await import('../stores/layer-ports.ts');
  const source = await openSource(parseImageName(flags.stubFrom), sourceOptions(flags, context));
  try {
    return { stub: await stubOfImage(source, flags.platform, { openLayerPorts, signal: context.signal }) };
  } finally {
    await source.close();
  }
}

export async function chosenBootloader(flags: SealFlags): Promise<{ readonly bootloader?: Uint8Array }> {
  return flags.systemdBoot === undefined ? {} : { bootloader: await readProgram(flags.systemdBoot) };
}

export async function readProgram(path: string): Promise<Uint8Array> {
  const { readBootFile } = await import('../stores/boot-file.ts');
  return readBootFile(path);
}

export function sealOutcome(to: string, { steps, ...json }: SealResult, dry: boolean): Outcome {
  const subject = `${to}@${json.digest}  (+${json.addedLayers} layers)`;
  const word = dry ? 'nothing written (dry run)' : 'sealed';
  return { ok: true, verdict: { word, subject }, stepsFirst: true, steps, json };
}
