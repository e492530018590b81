/** Which requirements of a policy speak for an image: containers-policy.json(5), as the code looks them up. */
import { BootsealError } from '../errors.ts';
import type { Policy, Requirement } from '../formats/policy-json/policy.ts';
import { familiarName } from '../formats/reference/docker-reference.ts';
import { dockerScopes } from '../formats/reference/docker-scopes.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import type { PolicyScope } from './verdict.ts';

export interface FoundRequirements {
  readonly requirements: readonly Requirement[];
  readonly scope: PolicyScope;
  readonly scopesTried: readonly string[];
}

/**
 * Identity, then parents, then the transport's `""`, then the default. The first hit is all that counts: nothing is
 * inherited. `resolvedPath` is the absolute path without symbolic links of an image that is a path.
 */
export function findRequirements(policy: Policy, image: ImageName, resolvedPath?: string): FoundRequirements {
  const { transport } = image;
  const scopes = policy.transports.get(transport);
  const scopesTried: string[] = [];
  for (const scope of [...imageScopes(image, resolvedPath), '']) {
    scopesTried.push(scope === '' ? transport : `${transport} ${scope}`);
    const requirements = scopes?.get(scope);
    if (requirements !== undefined) return { requirements, scope: { transport, scope }, scopesTried };
  }
  scopesTried.push('default');
  return { requirements: policy.default, scope: { transport: '', scope: '' }, scopesTried };
}

/** Most specific first, without the final `""`. */
export function imageScopes(image: ImageName, resolvedPath?: string): readonly string[] {
  switch (image.transport) {
    case 'docker': {
      const { identity, namespaces } = dockerScopes(image.reference);
      return [identity, ...namespaces];
    }
    case 'dir':
    case 'oci':
    case 'oci-archive': {
      if (resolvedPath === undefined || !resolvedPath.startsWith('/')) {
        throw new BootsealError(
          'trust/unresolved-path',
          `no absolute path known for ${describeImage(image)}`,
        );
      }
      return pathScopes(resolvedPath);
    }
    case 'docker-archive':
      return [];
    case 'containers-storage':
    default:
      if (image.scopes !== undefined) return image.scopes;
      throw new BootsealError(
        'trust/unresolved-path',
        `no store known for ${describeImage(image)}: it must be opened first`,
      );
  }
}

/** The path and its parents; the root folder is no scope. What follows a colon (the name within) is not part of it. */
function pathScopes(path: string): string[] {
  const scopes: string[] = [];
  for (let scope = path; scope !== '' && scope !== '/'; scope = scope.slice(0, scope.lastIndexOf('/'))) {
    scopes.push(scope);
  }
  return scopes;
}

/** The image as containers/image prints it in verdicts: docker names in their familiar form. */
export function describeImage(image: ImageName): string {
  switch (image.transport) {
    case 'docker':
      return `docker://${familiarName(image.reference)}`;
    case 'oci':
    case 'oci-archive': {
      const name = image.image ?? (image.index === undefined ? '' : `@${image.index}`);
      return `${image.transport}:${image.path}:${name}`;
    }
    case 'dir':
      return `dir:${image.path}`;
    case 'docker-archive':
      return `docker-archive:${image.path}${image.reference === undefined ? '' : `:${image.reference}`}`;
    case 'containers-storage':
    default:
      return `containers-storage:${image.reference}`;
  }
}
