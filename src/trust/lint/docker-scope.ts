/** Whether a key below `transports.docker` can ever be looked up: see formats/reference/docker-scopes.ts. */
import { isBootsealError } from '../../errors.ts';
import { formatReference, parseDockerReference } from '../../formats/reference/docker-reference.ts';

export interface DeadScope {
  readonly why: string;
  /** What to write instead. */
  readonly hint?: string;
}

const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;

/** Undefined where an image can exist that is looked up under this key. */
export function deadDockerScope(scope: string): DeadScope | undefined {
  if (scope === '') return undefined;
  const scheme = /^(?:[a-z][a-z0-9+-]*:)?\/\//.exec(scope)?.[0];
  if (scheme !== undefined) {
    return { why: 'a scope has no scheme', hint: `write ${JSON.stringify(scope.slice(scheme.length))}` };
  }
  if (scope.includes('*')) return deadWildcard(scope);
  if (scope.endsWith('/')) {
    const hint = `write ${JSON.stringify(scope.replace(/\/+$/, ''))}: a scope covers all that is below it`;
    return { why: 'it ends with a slash', hint };
  }
  const slash = scope.indexOf('/');
  if (slash < 0) return deadHost(scope);
  return deadName(scope, scope.slice(0, slash));
}

function deadWildcard(scope: string): DeadScope | undefined {
  const rest = scope.slice(2);
  if (scope.startsWith('*.') && HOST.test(rest) && !rest.includes(':')) return undefined;
  if (scope === '*') return { why: 'a lone "*" covers nothing', hint: 'write "" for every image of docker' };
  if (!scope.startsWith('*.')) {
    const why = 'a "*" stands for whole labels at the start of a host name, and nowhere else';
    return { why, hint: 'write "*.example.com", or a path without "*": it covers all that is below it' };
  }
  const why = 'a wildcard covers host names only, without port and path';
  const host = /^\*\.[a-zA-Z0-9.-]+/.exec(scope)?.[0];
  return host === undefined ? { why } : { why, hint: `write ${JSON.stringify(host)}, or name the hosts` };
}

function deadHost(host: string): DeadScope | undefined {
  if (host === 'index.docker.io')
    return { why: 'images of it are looked up as docker.io', hint: 'write "docker.io"' };
  if (!HOST.test(host)) return { why: 'no host is called that', hint: 'write HOST, HOST:PORT or HOST/PATH' };
  // Without a dot, a port, or the name localhost it is the first part of a path on docker.io.
  if (isHostInReference(host)) return undefined;
  return {
    why: 'a name without a dot is no host',
    hint: `write ${JSON.stringify(`docker.io/library/${host}`)}`,
  };
}

function isHostInReference(text: string): boolean {
  return text.includes('.') || text.includes(':') || text === 'localhost' || text !== text.toLowerCase();
}

function deadName(scope: string, host: string): DeadScope | undefined {
  let normal: string;
  try {
    const reference = parseDockerReference(scope);
    if (reference.tag !== undefined && reference.digest !== undefined) {
      return { why: 'an image is asked for by tag or by digest, never by both', hint: 'leave out the tag' };
    }
    normal = formatReference(reference);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const lower = host + scope.slice(host.length).toLowerCase();
    const isCase = error.code === 'reference/upper-case';
    return {
      why: isCase ? 'repository names are lower case' : 'no repository is called that',
      ...(isCase && { hint: `write ${JSON.stringify(lower)}` }),
    };
  }
  if (normal === scope || isParentOfOfficial(scope)) return undefined;
  return { why: `images of this name are looked up as ${normal}`, hint: `write ${JSON.stringify(normal)}` };
}

/** `docker.io/library` is also the parent of all official images. */
function isParentOfOfficial(scope: string): boolean {
  // docker.io/acme would be read as docker.io/library/acme, but it is the parent of docker.io/acme/os.
  return /^docker\.io\/[^/:@]+$/.test(scope);
}
