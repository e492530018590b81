/** Where an image is really pulled from: containers-registries.conf(5), and the details of upstream's code. */
import { BootsealError } from '../../errors.ts';
import {
  formatReference,
  parseDockerReference,
  repositoryName,
  type DockerReference,
} from '../reference/docker-reference.ts';
import {
  NO_REGISTRIES_CONF,
  type Endpoint,
  type RegistriesConf,
  type RegistriesConfFile,
  type Registry,
} from './config.ts';

/** Later files win: a registry of the same prefix takes the place of the earlier one, lists replace lists. */
export function mergeRegistriesConf(files: readonly RegistriesConfFile[]): RegistriesConf {
  const registries = new Map<string, Registry>();
  let { credentialHelpers, unqualifiedSearch } = NO_REGISTRIES_CONF;
  for (const file of files) {
    for (const registry of file.registries) registries.set(registry.prefix, registry);
    credentialHelpers = file.credentialHelpers ?? credentialHelpers;
    unqualifiedSearch = file.unqualifiedSearch ?? unqualifiedSearch;
  }
  return {
    // Of two prefixes of one length the first in this order counts.
    registries: [...registries.values()].sort((a, b) =>
      Buffer.compare(Buffer.from(a.prefix), Buffer.from(b.prefix)),
    ),
    credentialHelpers:
      credentialHelpers.length === 0 ? NO_REGISTRIES_CONF.credentialHelpers : credentialHelpers,
    unqualifiedSearch,
    files: files.map(({ file }) => file),
  };
}

/** The registry with the longest prefix of `name`, a host and path. */
export function findRegistry(conf: RegistriesConf, name: string): Registry | undefined {
  let found: Registry | undefined;
  for (const registry of conf.registries) {
    if (matchedLength(name, registry.prefix) === undefined) continue;
    if (registry.prefix.length > (found?.prefix.length ?? 0)) found = registry;
  }
  return found;
}

/**
 * How much of `name` the prefix covers, in characters. What follows it must start a port, a path or a digest: so
 * `example.com` covers `example.com:5000`, which upstream did not mean and users rely on.
 */
export function matchedLength(name: string, prefix: string): number | undefined {
  let length: number;
  if (prefix.startsWith('*.')) {
    const rest = prefix.slice(1);
    const at = name.indexOf(rest);
    if (at < 0 || name.slice(0, at).includes('/')) return undefined;
    length = at + rest.length;
  } else {
    if (!name.startsWith(prefix)) return undefined;
    ({ length } = prefix);
  }
  return length === name.length || /[:/@]/.test(name[length]) ? length : undefined;
}

export interface PullSource {
  readonly reference: DockerReference;
  /** Undefined where no entry speaks of the name. */
  readonly endpoint?: Endpoint;
  readonly isMirror: boolean;
}

/**
 * The places to try, mirrors first. Throws `registries-conf/blocked`, also where an entry has a location of its own:
 * upstream then asks only whether that location is blocked, and pulls; and `registries-conf/bad-rewrite`.
 */
export function pullSources(conf: RegistriesConf, reference: DockerReference): PullSource[] {
  const registry = findRegistry(conf, repositoryName(reference));
  if (registry === undefined) return [{ reference, isMirror: false }];
  demandUnblocked(conf, registry);
  const byDigest = reference.digest !== undefined;
  const mirrors = registry.mirrors.filter(({ pullFromMirror }) => {
    if (registry.mirrorByDigestOnly) return byDigest;
    return pullFromMirror === 'all' || byDigest === (pullFromMirror === 'digest-only');
  });
  return [...mirrors, registry].map((endpoint) => {
    const physical = rewrite(reference, registry.prefix, endpoint);
    return { reference: physical, endpoint, isMirror: endpoint !== registry };
  });
}

/** What is said of a name as it stands: of one that is written to, or that came out of a rewriting. Throws `registries-conf/blocked`. */
export function allowedEndpoint(conf: RegistriesConf, reference: DockerReference): Endpoint | undefined {
  const registry = findRegistry(conf, repositoryName(reference));
  if (registry !== undefined) demandUnblocked(conf, registry);
  return registry;
}

function demandUnblocked(conf: RegistriesConf, registry: Registry): void {
  if (!registry.blocked) return;
  throw new BootsealError(
    'registries-conf/blocked',
    `registry ${registry.prefix} is blocked in ${conf.files.join(' or ')}`,
    {
      hint: 'the administrator of this machine forbids this registry',
    },
  );
}

function rewrite(reference: DockerReference, prefix: string, { location }: Endpoint): DockerReference {
  if (location === '') return reference;
  const text = formatReference(reference);
  const rewritten = location + text.slice(matchedLength(text, prefix) ?? 0);
  const fail = (why: string): BootsealError =>
    new BootsealError('registries-conf/bad-rewrite', `rewriting reference: ${why}`, {
      hint: `check the location ${JSON.stringify(location)} in registries.conf`,
    });
  let parsed: DockerReference;
  try {
    parsed = parseDockerReference(rewritten);
  } catch (error) {
    throw fail((error as Error).message);
  }
  // A location must say its host: nothing is added to it.
  if (formatReference(parsed) !== rewritten) {
    throw fail(`repository name must be canonical: ${JSON.stringify(rewritten)}`);
  }
  return parsed;
}
