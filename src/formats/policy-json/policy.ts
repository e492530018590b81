/** What a policy.json says: containers-policy.json(5), with defaults filled in. */

export interface Policy {
  /** Never empty. */
  readonly default: readonly Requirement[];
  /** Transport name → scope → requirements. Maps, because scopes come from a file: `__proto__` is a scope like any other. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly Requirement[]>>;
}

export type Requirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  | SignedBy
  | SigstoreSigned
  | { readonly type: 'signedBaseLayer'; readonly baseLayerIdentity: IdentityMatch };

export type RequirementType = Requirement['type'];

export const KEY_TYPES = ['GPGKeys', 'signedByGPGKeys', 'X509Certificates', 'signedByX509CAs'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

export interface SignedBy {
  readonly type: 'signedBy';
  readonly keyType: KeyType;
  readonly keys: KeySource;
  readonly signedIdentity: IdentityMatch;
}

export interface SigstoreSigned {
  readonly type: 'sigstoreSigned';
  readonly trust: SigstoreTrust;
  /** Present also where upstream reads the member as "no Rekor key needed" (`""` or null): see `isEmpty`. */
  readonly rekor?: RekorKeys;
  readonly signedIdentity: IdentityMatch;
}

export type SigstoreTrust =
  | { readonly kind: 'keys'; readonly keys: KeySource }
  | { readonly kind: 'fulcio'; readonly fulcio: Fulcio }
  | { readonly kind: 'pki'; readonly pki: Pki };

/** `member` is the policy's spelling: keyPath, keyPaths, keyData, keyDatas, rekorPublicKeyPath, … */
export type KeySource =
  | { readonly kind: 'paths'; readonly member: string; readonly paths: readonly string[] }
  | { readonly kind: 'data'; readonly member: string; readonly data: readonly Uint8Array[] };

export interface RekorKeys {
  readonly source: KeySource;
  /** True where upstream drops the requirement although the member is written: `"rekorPublicKeyPath": ""`. */
  readonly isEmpty: boolean;
}

/** One of path and data. */
export interface Certificates {
  readonly path?: string;
  readonly data?: Uint8Array;
}

export interface Fulcio {
  readonly ca: Certificates;
  readonly oidcIssuer: string;
  readonly subjectEmail: string;
}

export interface Pki {
  readonly roots: Certificates;
  readonly intermediates?: Certificates;
  readonly subjectEmail?: string;
  readonly subjectHostname?: string;
}

export type IdentityMatch =
  | { readonly type: 'matchExact' }
  | { readonly type: 'matchRepoDigestOrExact' }
  | { readonly type: 'matchRepository' }
  | { readonly type: 'exactReference'; readonly dockerReference: string }
  | { readonly type: 'exactRepository'; readonly dockerRepository: string }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string };

/** What an absent `signedIdentity` means. */
export const DEFAULT_IDENTITY: IdentityMatch = { type: 'matchRepoDigestOrExact' };
