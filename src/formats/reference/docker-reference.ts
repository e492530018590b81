/**
 * Docker references: `host[:port]/path[:tag][@digest]`, normalised as distribution/reference does
 * (`ParseNormalizedNamed`): `busybox` means `docker.io/library/busybox`. No tag is added.
 */
import { BootsealError } from '../../errors.ts';
import { parseDigest, type Digest } from '../oci/digest.ts';

export interface DockerReference {
  /** `host[:port]`; `docker.io` where the text named none. */
  readonly domain: string;
  /** Repository path without the host; `library/` added for docker.io where the text had one component. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io';
const OFFICIAL_FOLDER = 'library/';

/** `host/path` together, as containers/image bounds it. */
const MAX_NAME_LENGTH = 255;
/** Name, tag (128) and the longest digest (7 + 128) with their separators; longer text is refused unread. */
const MAX_REFERENCE_LENGTH = MAX_NAME_LENGTH + 1 + 128 + 1 + 7 + 128;

const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const BARE_DIGEST = /^[a-f0-9]{64}$/;

/** Throws `reference/too-long`, `reference/malformed`, `reference/upper-case` and `oci/bad-digest`, all usage errors. */
export function parseDockerReference(text: string): DockerReference {
  if (text.length > MAX_REFERENCE_LENGTH) {
    throw new BootsealError('reference/too-long', `image reference of ${text.length} characters`, {
      hint: 'write HOST[:PORT]/PATH[:TAG]',
      exit: 2,
    });
  }
  if (BARE_DIGEST.test(text)) {
    throw bad(
      text,
      'cannot specify 64-byte hexadecimal strings',
      'put a repository before the digest: NAME@sha256:HEX',
    );
  }
  const { domain, rest } = splitDomain(text);
  // The last @ starts the digest: neither a name nor a tag may contain one.
  const at = rest.lastIndexOf('@');
  const named = at < 0 ? rest : rest.slice(0, at);
  const colon = named.indexOf(':');
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (path !== path.toLowerCase()) {
    throw new BootsealError(
      'reference/upper-case',
      `invalid reference format: repository name ${JSON.stringify(path)} must be lowercase`,
      { hint: `write ${JSON.stringify(path.toLowerCase())}`, exit: 2 },
    );
  }
  if (!isDomain(domain)) throw bad(text, `${JSON.stringify(withoutSecrets(domain))} is not a host`);
  if (!isRepositoryPath(path)) throw bad(text, `${JSON.stringify(path)} is not a repository`);
  if (tag !== undefined && !isTag(tag)) throw bad(text, `${JSON.stringify(tag)} is not a tag`);
  if (domain.length + 1 + path.length > MAX_NAME_LENGTH) {
    throw new BootsealError('reference/too-long', `repository name exceeds ${MAX_NAME_LENGTH} characters`, {
      hint: 'choose a shorter repository name',
      exit: 2,
    });
  }
  const digest = at < 0 ? undefined : parseDigest(rest.slice(at + 1), 'digest in reference');
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** distribution/reference `splitDockerDomain`: the first part is a host only when it could not be a user name. */
function splitDomain(text: string): { readonly domain: string; readonly rest: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isHost = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  let domain = isHost ? first : DEFAULT_DOMAIN;
  let rest = isHost ? text.slice(slash + 1) : text;
  if (domain === LEGACY_DEFAULT_DOMAIN) domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !rest.includes('/')) rest = OFFICIAL_FOLDER + rest;
  return { domain, rest };
}

/** The same reference with `:latest` where it has neither tag nor digest. */
export function withDefaultTag(reference: DockerReference): DockerReference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: 'latest' }
    : reference;
}

/** The whole reference, host included: `docker.io/library/busybox:latest`. Inverse of {@link parseDockerReference}. */
export function formatReference(reference: DockerReference): string {
  return repositoryName(reference) + suffix(reference);
}

/** Host and path without tag and digest: `quay.io/acme/os`. */
export function repositoryName(reference: DockerReference): string {
  return `${reference.domain}/${reference.path}`;
}

/** As people type it: `busybox:latest` for `docker.io/library/busybox:latest`. */
export function familiarName(reference: DockerReference): string {
  const { domain, path } = reference;
  if (domain !== DEFAULT_DOMAIN) return formatReference(reference);
  const bare = path.startsWith(OFFICIAL_FOLDER) ? path.slice(OFFICIAL_FOLDER.length) : path;
  // "library/a.b/c" and "localhost/x" would be read back as another name.
  const short = bare.includes('/') && bare !== path ? path : bare;
  const first = short.slice(0, Math.max(short.indexOf('/'), 0));
  const ambiguous = first.includes('.') || first === 'localhost' || BARE_DIGEST.test(short);
  return ambiguous ? formatReference(reference) : short + suffix(reference);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

function isDomain(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && DOMAIN.test(text);
}

export function isRepositoryPath(text: string): boolean {
  return (
    text.length <= MAX_NAME_LENGTH && text.split('/').every((component) => PATH_COMPONENT.test(component))
  );
}

function suffix(reference: DockerReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return reference.digest === undefined ? tag : `${tag}@${reference.digest}`;
}

function bad(text: string, why: string, hint?: string): BootsealError {
  return new BootsealError(
    'reference/malformed',
    `invalid reference format ${JSON.stringify(withoutSecrets(text))}: ${why}`,
    {
      hint: hint ?? 'write HOST[:PORT]/PATH[:TAG] or HOST[:PORT]/PATH@sha256:HEX',
      exit: 2,
    },
  );
}

/** Someone may have typed `user:password@host/…`: an error is no place for that. A digest has no slash after its `@`. */
export function withoutSecrets(text: string): string {
  return text.replace(/(^|\/\/)[^/@]*@(?!(?:sha256|sha384|sha512):[0-9a-f]*$)/, '$1…@');
}
