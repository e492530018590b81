/** Options of `verify`, and the verdict of cosign, which asks no policy. */
import type { FlagParametersForType } from '@stricli/core';
import { TOOLS, type Tool } from '../verify/as-tool.ts';
import { text, usageError, type Outcome } from './command.ts';
import type { CliContext } from './context.ts';
import { judgeFlags } from './policy-flags.ts';
import { sealedFlags, type SealedFlags } from './sealed-chain.ts';
import { transportOptions } from './transport-flags.ts';

export interface VerifyFlags extends SealedFlags {
  readonly all: boolean;
  readonly sealed: boolean;
  readonly as?: Tool;
  readonly key?: string;
  readonly bundlePolicy?: string;
  readonly offline: boolean;
  readonly identity?: string;
}

const flag = { kind: 'boolean', default: false, withNegated: false } as const;
const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;

export const verifyFlags: FlagParametersForType<VerifyFlags> = {
  all: { ...flag, brief: 'judge every instance of an index' },
  sealed: {
    ...flag,
    brief: 'verify the whole chain of a sealed image, layers, UKI and boot loader included',
  },
  as: {
    kind: 'enum',
    values: TOOLS,
    optional: true,
    brief: 'the verdict of that tool, by its own rule: podman (and skopeo), bootc, or cosign with --key',
  },
  key: { ...file, brief: 'with --as cosign: the public key' },
  bundlePolicy: judgeFlags.bundlePolicy,
  offline: { ...flag, brief: 'IMAGE is a folder (dir:, oci:); ask nothing of the network' },
  identity: {
    ...file,
    placeholder: 'REFERENCE',
    brief: 'with --offline: the name in the registry, for policy and identity',
  },
  ...sealedFlags,
  cert: { ...sealedFlags.cert, brief: `with --sealed: ${sealedFlags.cert.brief}` },
  insecurePolicy: {
    ...sealedFlags.insecurePolicy,
    brief: `with --sealed: ${sealedFlags.insecurePolicy.brief}`,
  },
};

/** Options that would be passed over in silence are refused. */
export function checkVerifyFlags(flags: VerifyFlags): void {
  const { as: tool, sealed } = flags;
  if (!sealed && (flags.cert !== undefined || flags.insecurePolicy)) {
    throw usageError('--cert and --insecure-policy go with --sealed');
  }
  if (sealed && tool !== undefined) throw usageError('--as does not go with --sealed');
  if ((tool === 'cosign') !== (flags.key !== undefined)) {
    throw usageError('--as cosign and --key go together', 'bootseal verify --as cosign --key acme.pub IMAGE');
  }
  const policy = flags.policy ?? flags['registries.d'] ?? flags.platform;
  if (tool === 'cosign' && (policy !== undefined || flags.requireSigned || flags.all)) {
    throw usageError('cosign asks no policy and judges no instances: --as cosign takes --key only');
  }
  if (flags.offline !== (flags.identity !== undefined)) {
    const hint = 'bootseal verify --offline FOLDER --identity quay.io/acme/os:10';
    throw usageError('--offline and --identity go together', hint);
  }
  if (flags.offline && (sealed || tool === 'cosign')) {
    throw usageError('--offline goes with neither --sealed nor --as cosign');
  }
  if (flags.bundlePolicy !== undefined && (tool !== undefined || sealed)) {
    throw usageError('--bundle-policy is not for --as and --sealed: other tools know no such file');
  }
}

/** `verify --as cosign --key FILE`. */
export async function verifyByCosign(
  context: CliContext,
  flags: VerifyFlags,
  image: string,
): Promise<Outcome> {
  const [{ verifyAsCosign }, { readPublicKeys }, names] = await Promise.all([
    import('../verify/as-cosign.ts'),
    import('../sign/public-key-files.ts'),
    import('../formats/reference/image-name.ts'),
  ]);
  const name = names.parseImageName(image);
  const source = flags.key ?? '';
  const [key] = await readPublicKeys([source]);
  const transport = transportOptions(flags, context);
  const { steps, ...result } = await verifyAsCosign({ image: name, key: { key, source } }, { transport });
  const [signature] = steps;
  return {
    ok: result.allowed,
    verdict: {
      word: result.allowed ? 'accepted by cosign' : 'refused by cosign',
      subject: names.formatImageName(name).replace(/^docker:\/\//, ''),
      ...(result.message !== undefined && { reason: result.message }),
      facts: signature.details ?? [],
      ...(signature.hint !== undefined && { hint: signature.hint }),
    },
    ...(context.json && { steps }),
    json: { image: names.formatImageName(name), as: 'cosign', ...result },
  };
}
