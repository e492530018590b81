/** A policy, an image and its signatures → a verdict. Pure: what it needs from outside comes through two ports. */
import { BootsealError, isBootsealError } from '../errors.ts';
import type { RawSignature } from '../formats/cosign/signature.ts';
import { digestOf, type Digest } from '../formats/oci/digest.ts';
import type { Policy, Requirement } from '../formats/policy-json/policy.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import type { Clock, KeyReader, SignatureReader } from './ports.ts';
import { judgeRequirement } from './requirements/judge.ts';
import { describeImage, findRequirements, imageScopes } from './scope.ts';
import type { PolicyVerdict, RequirementVerdict, Signer } from './verdict.ts';

export interface PolicyQuestion {
  /** The logical name: what the user typed, not the mirror it was read from. */
  readonly image: ImageName;
  /** Absolute path without symbolic links, for `dir:`, `oci:` and `oci-archive:`. */
  readonly resolvedPath?: string;
  /** The bytes as stored; `digest` must be theirs. */
  readonly manifest: { readonly bytes: Uint8Array; readonly digest: Digest };
  readonly signatures: readonly RawSignature[] | SignatureReader;
  readonly keys: KeyReader;
  readonly clock: Clock;
  readonly policyFile: string;
  /** Also ask that the policy checks signatures at all for this image. */
  readonly requireSigned?: boolean;
  /** Go on after the verdict is known, through every requirement and every signature: for explaining. */
  readonly exhaustive?: boolean;
}

/**
 * Requirements run in order; all must pass, and the first that fails ends it. A verdict, good or bad, is returned;
 * thrown is only what prevents one: `trust/digest-mismatch` for bytes that are not those of the digest, and whatever
 * the signature reader throws.
 */
export async function evaluatePolicy(policy: Policy, question: PolicyQuestion): Promise<PolicyVerdict> {
  const { image, manifest, policyFile, exhaustive = false } = question;
  // 1. Everything below speaks of these bytes. containers/image computes SHA-256 only, and signatures name that.
  const digest = digestOf(manifest.bytes);
  if (manifest.digest.startsWith('sha256:') && manifest.digest !== digest) {
    throw new BootsealError('trust/digest-mismatch', `manifest bytes are ${digest}, not ${manifest.digest}`, {
      exit: 1,
    });
  }
  // 2. The requirements that speak for this name.
  const found = findRequirements(policy, image, question.resolvedPath);
  const base = { policyFile, scope: found.scope, scopesTried: found.scopesTried, pinnedDigest: digest };
  if (question.requireSigned === true && !found.requirements.some(checksSignatures)) {
    const identity = imageScopes(image, question.resolvedPath)[0] ?? '';
    const message = `No signature verification policy found for image ${image.transport}:${identity || describeImage(image)}`;
    return {
      ...base,
      allowed: false,
      verified: false,
      reasonCode: 'trust/not-verified',
      message,
      requirements: [],
    };
  }
  // 3. Each in turn.
  const signatures = onceOnly(question.signatures);
  const requirements: RequirementVerdict[] = [];
  let signedBy: Signer | undefined;
  let refused: RequirementVerdict | undefined;
  for (const requirement of found.requirements) {
    const verdict = await judgeRequirement(requirement, {
      image,
      manifestDigest: digest,
      signatures: refused === undefined ? signatures : () => afterwards(signatures),
      keys: question.keys,
      clock: question.clock,
      exhaustive,
    });
    requirements.push(verdict);
    if (!verdict.allowed) refused ??= verdict;
    if (refused !== undefined && !exhaustive) break;
    signedBy ??= signerOf(requirement, verdict);
  }
  if (refused !== undefined) {
    const { reasonCode, message } = refused;
    return {
      ...base,
      allowed: false,
      verified: false,
      ...(reasonCode !== undefined && { reasonCode }),
      ...(message !== undefined && { message }),
      requirements,
    };
  }
  return {
    ...base,
    allowed: true,
    verified: signedBy !== undefined,
    requirements,
    ...(signedBy && { signedBy }),
  };
}

export function checksSignatures(requirement: Requirement): boolean {
  return requirement.type === 'signedBy' || requirement.type === 'sigstoreSigned';
}

function signerOf(requirement: Requirement, verdict: RequirementVerdict): Signer | undefined {
  if (requirement.type !== 'sigstoreSigned' && requirement.type !== 'signedBy') return undefined;
  const accepted = verdict.signatures.find((signature) => signature.accepted);
  if (accepted?.identity === undefined || accepted.keyFingerprint === undefined) return undefined;
  return {
    identity: accepted.identity,
    identityRule: requirement.signedIdentity.type,
    keyFingerprint: accepted.keyFingerprint,
    keySource: accepted.keySource ?? '',
  };
}

/** The verdict is known: signatures that cannot be had any more must not take it away. */
async function afterwards(signatures: SignatureReader): Promise<readonly RawSignature[]> {
  try {
    return await signatures();
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    throw new BootsealError('cosign/unread', `signatures were not read: ${error.message}`, { cause: error });
  }
}

function onceOnly(signatures: readonly RawSignature[] | SignatureReader): SignatureReader {
  if (typeof signatures !== 'function') return () => Promise.resolve(signatures);
  let reading: Promise<readonly RawSignature[]> | undefined;
  return () => (reading ??= signatures());
}
