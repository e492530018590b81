/** What a requirement asks for, in words for people. */
import type {
  Certificates,
  IdentityMatch,
  KeySource,
  Requirement,
  SigstoreSigned,
} from '../../formats/policy-json/policy.ts';
import {
  formatReference,
  repositoryName,
  type DockerReference,
} from '../../formats/reference/docker-reference.ts';

/** The keys of a requirement: `key /etc/pki/containers/acme.pub`. */
export function describeKeys(source: KeySource): string {
  if (source.kind === 'data')
    return `${source.data.length === 1 ? 'key' : 'keys'} in the policy (${source.member})`;
  return `${source.paths.length === 1 ? 'key' : 'keys'} ${source.paths.join(', ')}`;
}

export function describeTrust({ trust, rekor }: SigstoreSigned): string {
  const log = rekor === undefined ? '' : `, logged by Rekor (${describeKeys(rekor.source)})`;
  switch (trust.kind) {
    case 'keys':
      return describeKeys(trust.keys) + log;
    case 'fulcio': {
      const { ca, oidcIssuer, subjectEmail } = trust.fulcio;
      return `Fulcio certificate (${describeCa(ca)}) of ${subjectEmail} by ${oidcIssuer}${log}`;
    }
    case 'pki':
    default: {
      const { roots, subjectEmail, subjectHostname } = trust.pki;
      const subject = [subjectEmail, subjectHostname].filter((each) => each !== undefined).join(' and ');
      return `certificate (${describeCa(roots)}) of ${subject}`;
    }
  }
}

function describeCa({ path }: Certificates): string {
  return path ?? 'roots in the policy';
}

/** Which names in a signature would do: `quay.io/acme/os under any tag`. `image` as for `matchesIdentity`. */
export function describeIdentity(rule: IdentityMatch, image: DockerReference | undefined): string {
  switch (rule.type) {
    case 'exactReference':
      return `${rule.dockerReference} exactly`;
    case 'exactRepository':
      return `${rule.dockerRepository} under any tag`;
    case 'remapIdentity': {
      const name = image === undefined ? 'the image' : formatReference(image);
      return `${name} with ${rule.signedPrefix} in place of ${rule.prefix}`;
    }
    case 'matchRepository':
      return image === undefined ? NAMELESS : `${repositoryName(image)} under any tag`;
    case 'matchExact':
      return image === undefined ? NAMELESS : `${formatReference(image)} exactly`;
    case 'matchRepoDigestOrExact':
    default:
      if (image === undefined) return NAMELESS;
      return image.tag === undefined
        ? `${repositoryName(image)} under any tag`
        : `${formatReference(image)} exactly`;
  }
}

const NAMELESS = 'no name at all: an image that is a path has none to compare';

/** `wants` and `identity` are absent for requirements that look at no signature. */
export interface DescribedRequirement {
  readonly type: Requirement['type'];
  readonly wants?: string;
  /** The rule: `matchRepository`. */
  readonly identityRule?: string;
  /** {@link describeIdentity} */
  readonly identity?: string;
}

export function describeRequirement(
  requirement: Requirement,
  image: DockerReference | undefined,
): DescribedRequirement {
  const { type } = requirement;
  if (type !== 'signedBy' && type !== 'sigstoreSigned') return { type };
  const wants = type === 'signedBy' ? describeKeys(requirement.keys) : describeTrust(requirement);
  const { signedIdentity: rule } = requirement;
  return { type, wants, identityRule: rule.type, identity: describeIdentity(rule, image) };
}
