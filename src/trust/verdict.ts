/** The verdict of a policy on one manifest. Text, `--json`, admission and the HTML report all render this one value. */
import type { ErrorCode } from '../errors.ts';
import type { RequirementType } from '../formats/policy-json/policy.ts';
import type { BundleUse } from '../formats/bundle-policy/policy.ts';
import type { Digest } from '../formats/oci/digest.ts';

export interface PolicyVerdict {
  readonly allowed: boolean;
  /** True only when a requirement that checks signatures passed: an image that anything would pass is not "signed". */
  readonly verified: boolean;
  /** Why not, for machines. Present when not allowed. */
  readonly reasonCode?: ErrorCode;
  /** Why not, in the words of containers/image. Present when not allowed. May hold text from the image. */
  readonly message?: string;
  readonly policyFile: string;
  /** Where the requirements came from. For the default of the whole file both are empty. */
  readonly scope: PolicyScope;
  /** Keys looked up before, most specific first: `docker quay.io/acme/os:10`, … */
  readonly scopesTried: readonly string[];
  /** In order, up to the first that failed. */
  readonly requirements: readonly RequirementVerdict[];
  /** Digest of the manifest judged: what every later step must use instead of a tag. */
  readonly pinnedDigest: Digest;
  readonly signedBy?: Signer;
  /** What bundles.json asked for, where it speaks for the name and was consulted. */
  readonly bundles?: readonly BundleVerdict[];
}

export interface PolicyScope {
  readonly transport: string;
  readonly scope: string;
}

export interface RequirementVerdict {
  readonly type: RequirementType;
  readonly allowed: boolean;
  readonly reasonCode?: ErrorCode;
  readonly message?: string;
  /** What the policy asks for, for people: `key /etc/pki/containers/acme.pub`. */
  readonly wants?: string;
  /** Each candidate looked at, in the order of the store; ends with the one that was accepted. */
  readonly signatures: readonly SignatureVerdict[];
}

export interface SignatureVerdict {
  readonly accepted: boolean;
  readonly code?: ErrorCode;
  readonly message?: string;
  /** From the payload, after the signature over it was checked. Untrusted text where not accepted. */
  readonly identity?: string;
  /** `SHA256:…` of the key that verified it. */
  readonly keyFingerprint?: string;
  /** File that the key came from, or the policy member that held it. */
  readonly keySource?: string;
  /** When the transparency log that the policy names saw it, ISO 8601. */
  readonly loggedAt?: string;
}

export interface BundleVerdict {
  readonly use: BundleUse;
  readonly allowed: boolean;
  /** What is asked for, for people. */
  readonly wants: string;
  readonly reasonCode?: ErrorCode;
  readonly message?: string;
  /** Each bundle looked at, ending with the one that was accepted. */
  readonly signatures: readonly SignatureVerdict[];
}

export interface Signer {
  readonly identity: string;
  /** The rule that accepted the identity: `matchRepository`, … */
  readonly identityRule: string;
  readonly keyFingerprint: string;
  readonly keySource: string;
}

/** One place that was looked in for signatures, for people: `sha256-HEX.sig`, `not found`. */
export interface LookedIn {
  readonly place: string;
  readonly result: string;
  /** What sends readers there: `lookaside of namespace "quay.io" in /etc/…/a.yaml`. */
  readonly setting?: string;
}
