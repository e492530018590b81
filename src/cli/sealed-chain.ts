/** What `verify --sealed` and `report` share: the options of the check of a whole chain, and running it. */
import type { Platform } from '../formats/oci/descriptor.ts';
import type { SealedResult } from '../verify/sealed.ts';
import { text, usageError } from './command.ts';
import type { CliContext } from './context.ts';
import { layerProgress } from './layer-progress.ts';
import { platformFlag } from './platform-flag.ts';
import { transportFlags, transportOptions, type TransportFlags } from './transport-flags.ts';

export interface SealedFlags extends TransportFlags {
  readonly cert?: readonly string[];
  readonly policy?: string;
  readonly 'registries.d'?: string;
  readonly requireSigned: boolean;
  readonly insecurePolicy: boolean;
  readonly epoch?: string;
  readonly platform?: Platform;
}

/** Spread into `flags` of a command. */
export const sealedFlags = {
  cert: {
    kind: 'parsed',
    parse: text,
    optional: true,
    variadic: true,
    placeholder: 'FILE',
    brief: 'certificates of the machines’ db, PEM or DER: whose boot programs they start',
  },
  policy: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'FILE',
    brief: 'policy.json to use instead of the system’s',
  },
  'registries.d': {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'DIR',
    brief: 'registries.d to use instead of the system’s',
  },
  requireSigned: {
    kind: 'boolean',
    default: false,
    withNegated: false,
    brief: 'refuse where the policy asks for no signature',
  },
  insecurePolicy: {
    kind: 'boolean',
    default: false,
    withNegated: false,
    brief: 'leave the signature of the image unchecked, and say so',
  },
  epoch: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'NAME',
    brief: 'the seal is by the rules of another release',
  },
  platform: platformFlag,
  ...transportFlags,
} as const;

/** Reads the whole image. Throws what prevents the check from starting; all else is a step of the result. */
export async function runSealedChain(
  context: CliContext,
  flags: SealedFlags,
  image: string,
): Promise<SealedResult> {
  if (flags.cert === undefined || flags.cert.length === 0) {
    throw usageError('--cert is missing', 'give the certificate of db that signed the UKI: --cert db.crt');
  }
  const [
    { verifySealed },
    { readCertificates },
    { openSource },
    { parseImageName },
    { openLayerPorts },
    epochs,
  ] = await Promise.all([
    import('../verify/sealed.ts'),
    import('../stores/keys/certificates.ts'),
    import('../stores/open.ts'),
    import('../formats/reference/image-name.ts'),
    import('../stores/layer-ports.ts'),
    import('../composefs/epochs.ts'),
  ]);
  const epoch = flags.epoch === undefined ? epochs.DEFAULT_EPOCH : epochs.findEpoch(flags.epoch);
  if (epoch === undefined) {
    const names = epochs.EPOCHS.map(({ name }) => name).join(', ');
    throw usageError(`unknown epoch ${JSON.stringify(flags.epoch)}`, `one of ${names}`);
  }
  const certificates = (await Promise.all(flags.cert.map((file) => readCertificates(file)))).flat();
  const policy = {
    requireSigned: flags.requireSigned,
    ...(flags.policy !== undefined && { policyFile: flags.policy }),
    ...(flags['registries.d'] !== undefined && { registriesDirectory: flags['registries.d'] }),
  };
  const source = await openSource(parseImageName(image), transportOptions(flags, context));
  try {
    const onProgress = await layerProgress(context);
    return await verifySealed(
      {
        source,
        certificates,
        epoch,
        ...(flags.platform && { platform: flags.platform }),
        ...(!flags.insecurePolicy && { policy }),
      },
      { openLayerPorts, onProgress, signal: context.signal, verify: { env: context.env } },
    );
  } finally {
    await source.close();
  }
}
