/**
 * The keys under which configuration files name a docker image, most specific first: the reference itself, its
 * repository, each parent, the host, then `*.` wildcards for the host's parents. policy.json and registries.d share them.
 */
import { formatReference, repositoryName, type DockerReference } from './docker-reference.ts';

export interface DockerScopes {
  /** With its tag or digest. */
  readonly identity: string;
  readonly namespaces: readonly string[];
}

/** The reference must have a tag or a digest (the docker transport adds `:latest`). */
export function dockerScopes(reference: DockerReference): DockerScopes {
  const namespaces: string[] = [];
  let name = repositoryName(reference);
  for (;;) {
    namespaces.push(name);
    const slash = name.lastIndexOf('/');
    if (slash < 0) break;
    name = name.slice(0, slash);
  }
  // The port belongs to the host only: no wildcard covers one.
  let host = name.replace(/:[0-9]*$/, '');
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.')) {
    host = host.slice(dot + 1);
    namespaces.push(`*.${host}`);
  }
  return { identity: formatReference(reference), namespaces };
}
