/**
 * The three files by which a machine trusts the images of one repository: policy.json, registries.d, and the public
 * key. Pure, and the same bytes for the same request.
 */
import { encodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { encodePublicKey, type SigstorePublicKey } from '../formats/cosign/public-key.ts';
import type { IdentityMatch, KeySource, Policy, Requirement } from '../formats/policy-json/policy.ts';
import { encodePolicy } from '../formats/policy-json/writer.ts';
import { parseDockerReference, repositoryName } from '../formats/reference/docker-reference.ts';
import { encodeAttachmentsFile } from '../formats/registries-d/writer.ts';

/** `exact`: the tag must match; `digest-or-exact`: or the image is asked for by digest; `repository`: any tag. */
export const MATCHES = ['digest-or-exact', 'exact', 'repository'] as const;
export type Match = (typeof MATCHES)[number];

export interface TrustRequest {
  /** `quay.io/acme/os`, without tag. */
  readonly repository: string;
  /** Any one of them may have signed. */
  readonly keys: readonly SigstorePublicKey[];
  readonly match: Match;
  /** Accept images of other repositories and transports without a signature. */
  readonly acceptOthers: boolean;
}

export interface TrustFile {
  /** Relative to the root folder: `etc/containers/policy.json`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

const IDENTITIES: Readonly<Record<Match, IdentityMatch>> = {
  'digest-or-exact': { type: 'matchRepoDigestOrExact' },
  exact: { type: 'matchExact' },
  repository: { type: 'matchRepository' },
};

/** Transports whose images are on this machine already; with `acceptOthers` they stay usable. */
const LOCAL_TRANSPORTS = [
  'containers-storage',
  'dir',
  'docker-archive',
  'docker-daemon',
  'oci',
  'oci-archive',
  'tarball',
] as const;

/** Throws `trust-init/repository`, `trust-init/no-key`. */
export function trustFiles(request: TrustRequest): readonly TrustFile[] {
  const repository = checkRepository(request.repository);
  if (request.keys.length === 0)
    throw new BootsealError('trust-init/no-key', 'no public key was given', { exit: 2 });
  // Safe as a file name: a repository has no other characters than these, slash and colon.
  const name = repository.replaceAll(/[^A-Za-z0-9._-]/g, '-');
  const keys = request.keys.map((key, at) => ({
    path: `etc/pki/containers/${name}${at === 0 ? '' : `-${at + 1}`}.pub`,
    bytes: encodeUtf8(encodePublicKey(key)),
  }));
  const paths = keys.map(({ path }) => `/${path}`);
  const source: KeySource = { kind: 'paths', member: paths.length === 1 ? 'keyPath' : 'keyPaths', paths };
  return [
    { path: 'etc/containers/policy.json', bytes: encodePolicy(policyFor(repository, source, request)) },
    { path: `etc/containers/registries.d/${name}.yaml`, bytes: encodeAttachmentsFile(repository) },
    ...keys,
  ];
}

/**
 * The default rejects: a policy whose catch-all accepts would also accept the image under any other name, for example
 * after its repository has moved, and bootc refuses to enforce such a policy at all.
 */
function policyFor(repository: string, keys: KeySource, { match, acceptOthers }: TrustRequest): Policy {
  const accept: readonly Requirement[] = [{ type: 'insecureAcceptAnything' }];
  const signed: Requirement = {
    type: 'sigstoreSigned',
    trust: { kind: 'keys', keys },
    signedIdentity: IDENTITIES[match],
  };
  const docker = new Map<string, readonly Requirement[]>([[repository, [signed]]]);
  const transports = new Map<string, ReadonlyMap<string, readonly Requirement[]>>([['docker', docker]]);
  if (acceptOthers) {
    docker.set('', accept);
    for (const transport of LOCAL_TRANSPORTS) transports.set(transport, new Map([['', accept]]));
  }
  return { default: [{ type: 'reject' }], transports };
}

function checkRepository(text: string): string {
  const reference = parseDockerReference(text.replace(/^docker:\/\//, ''));
  if (reference.tag !== undefined || reference.digest !== undefined) {
    throw new BootsealError('trust-init/repository', 'a repository has neither tag nor digest', {
      exit: 2,
      hint: `--repository ${repositoryName(reference)}`,
    });
  }
  return repositoryName(reference);
}
