/**
 * What bootseal asks of v3 bundles: a file of its own, because containers/image reads no bundles and refuses a
 * policy.json with anything in it that it does not know.
 */
import type { KeySource } from '../policy-json/policy.ts';
import type { IdentityPattern } from './identity-pattern.ts';

/**
 * `require`: a fitting bundle is needed beside whatever policy.json says. `satisfy`: a fitting bundle does for a
 * `sigstoreSigned` requirement of policy.json; without one, policy.json decides alone.
 */
export const USES = ['require', 'satisfy'] as const;
export type BundleUse = (typeof USES)[number];

export interface BundleRequirement {
  readonly use: BundleUse;
  readonly trust: BundleTrust;
}

export type BundleTrust =
  | { readonly kind: 'keys'; readonly keys: KeySource }
  | {
      readonly kind: 'keyless';
      /** A sigstore trusted_root.json: certificate authorities, logs, timestamp authorities. */
      readonly trustedRootPath: string;
      /** The provider that vouched for the signer, whole: `https://token.actions.githubusercontent.com`. */
      readonly issuer: string;
      /** The URI or the email in the certificate, whole or as a pattern of the whole. */
      readonly identity: string | IdentityPattern;
    };

export interface BundlePolicy {
  /** Empty where the file has none: nothing is asked then. */
  readonly default: readonly BundleRequirement[];
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly BundleRequirement[]>>;
}
