/**
 * bundles.json beside policy.json. It can add to what policy.json asks, and it can do for a `sigstoreSigned` requirement
 * where it says so; a `reject`, and every other kind of requirement, it leaves as it is.
 */
import type { Policy, Requirement } from '../formats/policy-json/policy.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import { parseManifest } from '../formats/oci/manifest.ts';
import type { ImageSource, ManifestBlob } from '../stores/image.ts';
import type { LoadedBundlePolicy } from '../stores/trust-files/bundle-policy-file.ts';
import { findBundleRequirements, judgeBundles, type BundlesBeside } from '../trust/bundles/evaluate.ts';
import type { KeyReader } from '../trust/ports.ts';
import type { BundleVerdict, PolicyVerdict } from '../trust/verdict.ts';
import { readBundles } from './bundles-of.ts';

export interface BundleGate {
  readonly bundles: LoadedBundlePolicy;
  readonly policy: Policy;
  readonly image: ImageName;
  readonly keys: KeyReader;
  /** policy.json's verdict under another policy, on the same image and signatures. */
  readonly evaluate: (policy: Policy) => Promise<PolicyVerdict>;
}

/** The verdict with both files taken into account; as it was where bundles.json says nothing about the name. */
export async function applyBundlePolicy(
  gate: BundleGate,
  source: ImageSource,
  manifest: ManifestBlob,
  verdict: PolicyVerdict,
): Promise<PolicyVerdict> {
  const requirements = findBundleRequirements(gate.bundles.policy, gate.image);
  if (requirements.length === 0) return verdict;
  // Refused for another reason than a missing signature: bundles change nothing, and are not asked for.
  const failing = verdict.requirements.find(({ allowed }) => !allowed)?.type;
  const replaceable = failing === 'sigstoreSigned' && requirements.some(({ use }) => use === 'satisfy');
  const unchecked =
    verdict.reasonCode === 'trust/not-verified' && requirements.some(({ use }) => use === 'require');
  if (!verdict.allowed && !replaceable && !unchecked) return verdict;
  // Nothing to add to an acceptance, and nothing to stand in for.
  if (verdict.allowed && requirements.every(({ use }) => use === 'satisfy')) return verdict;
  // 1. Everything that bundles.json asks for.
  const beside = await bundlesBeside(source, manifest);
  const bundles: BundleVerdict[] = [];
  for (const requirement of requirements) bundles.push(await judgeBundles(requirement, beside, gate.keys));
  // 2. Bundles in the place of sigstoreSigned, where all that were asked for fit: the laxest of several exceptions must
  //    not decide. Everything else of policy.json must still pass.
  let result = verdict;
  const inPlace = bundles.filter(({ use }) => use === 'satisfy');
  if (replaceable && inPlace.every(({ allowed }) => allowed)) {
    const others = await gate.evaluate(withoutSigstoreSigned(gate.policy));
    if (others.allowed) result = acceptedBy(inPlace[0], others, gate.bundles.file);
  }
  // 3. What must be there in addition. It is a check of signatures, too, for who insists on one (--require-signed).
  if (unchecked) result = await gate.evaluate(gate.policy);
  const missing = bundles.find(({ use, allowed }) => use === 'require' && !allowed);
  if (result.allowed && missing !== undefined) {
    const { reasonCode, message = '' } = missing;
    const { signedBy: _, ...refused } = result;
    return {
      ...refused,
      allowed: false,
      verified: false,
      ...(reasonCode !== undefined && { reasonCode }),
      message: `${message} (${gate.bundles.file})`,
      bundles,
    };
  }
  if (!result.allowed) return { ...result, bundles };
  const required = bundles.find(({ use, allowed }) => use === 'require' && allowed);
  return required !== undefined && !result.verified
    ? { ...acceptedBy(required, result, gate.bundles.file), bundles }
    : { ...result, bundles };
}

/** Of the image itself and, where it is an instance, of the index that names it: who signed that has signed it too. */
async function bundlesBeside(source: ImageSource, manifest: ManifestBlob): Promise<readonly BundlesBeside[]> {
  const beside = [{ digest: manifest.digest, bundles: await readBundles(source, manifest.digest) }];
  const top = await source.topManifest();
  if (top.digest === manifest.digest) return beside;
  const index = parseManifest(top.bytes, top.mediaType);
  if (index.kind !== 'index' || !index.manifests.some(({ digest }) => digest === manifest.digest))
    return beside;
  return [...beside, { digest: top.digest, bundles: await readBundles(source, top.digest) }];
}

/** Every `sigstoreSigned` counts as passed; the rest stays, in its order. */
function withoutSigstoreSigned(policy: Policy): Policy {
  const relaxed = (list: readonly Requirement[]): readonly Requirement[] =>
    list.map((each) => (each.type === 'sigstoreSigned' ? { type: 'insecureAcceptAnything' } : each));
  return {
    default: relaxed(policy.default),
    transports: new Map(
      [...policy.transports].map(([transport, scopes]) => [
        transport,
        new Map([...scopes].map(([scope, list]) => [scope, relaxed(list)])),
      ]),
    ),
  };
}

function acceptedBy(bundle: BundleVerdict, verdict: PolicyVerdict, file: string): PolicyVerdict {
  const accepted = bundle.signatures.find((each) => each.accepted);
  return {
    ...verdict,
    verified: true,
    signedBy: verdict.signedBy ?? {
      identity: accepted?.identity ?? verdict.pinnedDigest,
      identityRule: `bundle, ${file}`,
      keyFingerprint: accepted?.keyFingerprint ?? '',
      keySource: accepted?.keySource ?? '',
    },
  };
}
