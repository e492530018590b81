/** The requirements of bundles.json for one image: each is satisfied by any one bundle that fits. */
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import type { BundlePolicy, BundleRequirement } from '../../formats/bundle-policy/policy.ts';
import type { Digest } from '../../formats/oci/digest.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import type { SigstoreBundle } from '../../formats/sigstore-bundle/format.ts';
import type { KeyReader } from '../ports.ts';
import { imageScopes } from '../scope.ts';
import { loadKeys } from '../signatures/sigstore-keys.ts';
import type { BundleVerdict, SignatureVerdict } from '../verdict.ts';
import type { FoundBundle } from './found.ts';
import { judgeKeyBundle } from './key-bundle.ts';
import { judgeKeylessBundle } from './keyless.ts';
import { MAX_TRUSTED_ROOT_SIZE, parseTrustedRoot } from './trusted-root.ts';

/** What lies beside one digest. Of an instance there are two: its own, and the index that it was taken from. */
export interface BundlesBeside {
  readonly digest: Digest;
  readonly bundles: readonly FoundBundle[];
}

/** The same search as in policy.json; nothing is asked where it finds nothing. */
export function findBundleRequirements(policy: BundlePolicy, image: ImageName): readonly BundleRequirement[] {
  const scopes = policy.transports.get(image.transport);
  if (scopes === undefined) return policy.default;
  const hit = [...imageScopes(image), ''].find((scope) => scopes.has(scope));
  return hit === undefined ? policy.default : scopes.get(hit)!;
}

/** Keys and trusted roots are read only when there is a bundle to be checked with them. */
export async function judgeBundles(
  requirement: BundleRequirement,
  beside: readonly BundlesBeside[],
  reader: KeyReader,
): Promise<BundleVerdict> {
  const { use } = requirement;
  const wants = describe(requirement);
  const refuse = (reasonCode: ErrorCode, message: string): BundleVerdict => ({
    use,
    allowed: false,
    wants,
    reasonCode,
    message,
    signatures: [],
  });
  if (beside.every(({ bundles }) => bundles.length === 0)) {
    return refuse('trust/no-signature', 'A bundle was required, but there is none');
  }
  let judge: (bundle: SigstoreBundle, image: Digest) => SignatureVerdict | Promise<SignatureVerdict>;
  try {
    judge = await openTrust(requirement, reader);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return refuse('trust/key-unreadable', error.message);
  }
  const signatures: SignatureVerdict[] = [];
  for (const { digest, bundles } of beside) {
    for (const found of bundles) {
      const verdict: SignatureVerdict =
        'fault' in found
          ? { accepted: false, code: found.fault.code, message: found.fault.message }
          : await judge(found.bundle, digest);
      signatures.push(verdict);
      if (verdict.accepted) return { use, allowed: true, wants, signatures };
    }
  }
  const reasons = signatures.slice(0, MAX_REASONS).map(({ message }) => message ?? '');
  const { code } = signatures.find((each) => each.code !== 'trust/bad-signature') ?? signatures[0];
  return {
    ...refuse(
      code ?? 'trust/bad-signature',
      `None of the bundles were accepted, reasons: ${reasons.join('; ')}`,
    ),
    signatures,
  };
}

/** Anyone who may push can add bundles, and reasons with them. */
const MAX_REASONS = 20;

async function openTrust(
  { trust }: BundleRequirement,
  reader: KeyReader,
): Promise<(bundle: SigstoreBundle, image: Digest) => SignatureVerdict | Promise<SignatureVerdict>> {
  if (trust.kind === 'keys') {
    const keys = await loadKeys(trust.keys, reader);
    return (bundle, image) => judgeKeyBundle(bundle, { keys, image });
  }
  const { trustedRootPath: source, issuer, identity } = trust;
  const root = await parseTrustedRoot(await reader.read(source, MAX_TRUSTED_ROOT_SIZE), source);
  return (bundle, image) => judgeKeylessBundle(bundle, { root, source, issuer, identity, image });
}

function describe({ trust }: BundleRequirement): string {
  if (trust.kind === 'keyless') {
    const { identity, issuer } = trust;
    return `${typeof identity === 'string' ? identity : identity.source} by ${issuer}`;
  }
  const { keys } = trust;
  return keys.kind === 'paths' ? `key ${keys.paths.join(', ')}` : 'key in the bundle policy';
}
