/** What `verify --sealed` and `report` share: the check of a sealed image, from options to result. */
import type { Platform } from '../formats/oci/descriptor.ts';
import type { SealedResult } from '../verify/sealed.ts';
import { text, usageError, type Outcome } from './command.ts';
import type { CliContext } from './context.ts';
import { platformFlag } from './platform-flag.ts';
import { transportFlags, transportOptions, type TransportFlags } from './transport-flags.ts';

export interface SealedFlags extends TransportFlags {
  readonly cert?: readonly string[];
  readonly policy?: string;
  readonly 'registries.d'?: string;
  readonly requireSigned: boolean;
  readonly insecurePolicy: boolean;
  readonly platform?: Platform;
}

const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;
const flag = { kind: 'boolean', default: false, withNegated: false } as const;

export const sealedFlags = {
  cert: { ...file, variadic: true, brief: 'Secure Boot certificate to trust' },
  policy: { ...file, brief: 'policy.json to use instead of the system’s' },
  'registries.d': { ...file, placeholder: 'DIR', brief: 'registries.d to use instead of the system’s' },
  requireSigned: { ...flag, brief: 'refuse where the policy asks for no signature' },
  insecurePolicy: { ...flag, brief: 'leave the signature of the image out' },
  platform: platformFlag,
  ...transportFlags,
} as const;

export async function runSealedChain(
  context: CliContext,
  flags: SealedFlags,
  image: string,
): Promise<SealedResult> {
  const { policy: policyFile, 'registries.d': registriesDirectory, requireSigned, platform } = flags;
  if (flags.cert === undefined || flags.cert.length === 0) {
    throw usageError(
      'a sealed image is verified against Secure Boot certificates: give --cert FILE',
      'the file that the image was sealed with, for example --cert db.crt',
    );
  }
  if (flags.insecurePolicy && (policyFile !== undefined || requireSigned)) {
    throw usageError('--insecure-policy contradicts --policy and --require-signed');
  }
  const [{ verifySealed }, { parseImageName }, { openSource }, { openLayerPorts }, { readCertificates }] =
    await Promise.all([
      import('../verify/sealed.ts'),
      import('../formats/reference/image-name.ts'),
      import('../stores/open.ts'),
      import('../stores/layer-ports.ts'),
      import('../stores/keys/certificates.ts'),
    ]);
  const { layerProgress } = await import('./layer-progress.ts');
  const certificates: Uint8Array[] = [];
  for (const file of flags.cert) certificates.push(...(await readCertificates(file)));
  const name = parseImageName(image);
  return verifySealed(
    {
      image: name,
      open: () => openSource(name, transportOptions(flags, context)),
      certificates,
      ...(platform && { platform }),
      ...(!flags.insecurePolicy && {
        policy: {
          requireSigned,
          ...(policyFile !== undefined && { policyFile }),
          ...(registriesDirectory !== undefined && { registriesDirectory }),
        },
      }),
    },
    {
      openLayerPorts,
      signal: context.signal,
      onProgress: await layerProgress(context),
      verify: { env: context.env, transport: transportOptions(flags, context) },
    },
  );
}

export function sealedOutcome(result: SealedResult): Outcome {
  const { ok, exit, steps, ...json } = result;
  const failed = steps.find(({ state }) => state === 'failed');
  const name = result.image.replace(/^docker:\/\//, '');
  return {
    ok,
    ...(exit !== 0 && { exit }),
    verdict: {
      word: ok ? 'accepted' : 'refused',
      subject: result.digest === undefined || name.includes('@') ? name : `${name}@${result.digest}`,
      ...(failed !== undefined && { reason: failed.summary }),
    },
    steps,
    json: { ...json, ...(failed?.code !== undefined && { reasonCode: failed.code }) },
  };
}
