/**
 * Image names as containers-transports(5) writes them: `docker://`, `oci:`, `oci-archive:`, `dir:`,
 * `docker-archive:`, `containers-storage:`. A bare name means `docker://`.
 */
import { BootsealError } from '../../errors.ts';
import {
  withoutSecrets,
  formatReference,
  parseDockerReference,
  withDefaultTag,
  type DockerReference,
} from './docker-reference.ts';

export type ImageName =
  | { readonly transport: 'docker'; readonly reference: DockerReference }
  | {
      readonly transport: 'oci' | 'oci-archive';
      readonly path: string;
      readonly image?: string;
      readonly index?: number;
    }
  | { readonly transport: 'dir'; readonly path: string }
  | { readonly transport: 'docker-archive'; readonly path: string; readonly reference?: string }
  | {
      readonly transport: 'containers-storage';
      /** What follows the colon. */
      readonly reference: string;
      /** Known once the store was asked: a name may as well be the beginning of an ID. */
      readonly named?: DockerReference;
      /** What policies call it, most specific first; known once the store was asked. */
      readonly scopes?: readonly string[];
    };

/** The name that a signature must be for; `dir:`, layouts and archives have none. */
export function dockerReferenceOf(name: ImageName): DockerReference | undefined {
  if (name.transport === 'docker') return name.reference;
  return name.transport === 'containers-storage' ? name.named : undefined;
}

/** A path (PATH_MAX) and a reference; longer text is refused unread. */
const MAX_NAME_LENGTH = 4096 + 1024;

/** containers/image oci/internal: the reference name of an OCI layout, `org.opencontainers.image.ref.name`. */
const OCI_COMPONENT = /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*$/;

const FOREIGN_TRANSPORTS: readonly string[] = ['atomic', 'docker-daemon', 'ostree', 'sif', 'tarball'];

/**
 * Reads an image name. `docker://` gains `:latest` where it has neither tag nor digest, and refuses both at
 * once, as skopeo does. Throws `reference/bad-transport`, `reference/tag-and-digest`, `reference/bad-path`,
 * `reference/bad-layout-name` and what {@link parseDockerReference} throws; all are usage errors.
 */
export function parseImageName(text: string): ImageName {
  if (text.length > MAX_NAME_LENGTH)
    throw bad('reference/too-long', `image name of ${text.length} characters`);
  const colon = text.indexOf(':');
  const prefix = colon < 0 ? '' : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  switch (prefix) {
    case 'docker':
      if (rest.startsWith('//')) return dockerName(rest.slice(2));
      throw bad(
        'reference/bad-transport',
        `docker: image reference ${JSON.stringify(rest)} does not start with //`,
      );
    case 'oci':
    case 'oci-archive':
      return layoutName(prefix, rest);
    case 'dir':
      return { transport: 'dir', path: checkPath(rest) };
    case 'docker-archive':
      return archiveName(rest);
    case 'containers-storage':
      if (rest === '') throw bad('reference/malformed', 'containers-storage: names no image');
      return { transport: 'containers-storage', reference: rest };
    default:
      if (FOREIGN_TRANSPORTS.includes(prefix) || rest.startsWith('//')) {
        throw bad(
          'reference/bad-transport',
          `Invalid image name ${JSON.stringify(withoutSecrets(text))}, unknown transport ${JSON.stringify(prefix)}`,
        );
      }
      return dockerName(text);
  }
}

/** Inverse of {@link parseImageName}; a docker name is written whole, host included. */
export function formatImageName(name: ImageName): string {
  switch (name.transport) {
    case 'docker':
      return `docker://${formatReference(name.reference)}`;
    case 'oci':
    case 'oci-archive': {
      const image = name.image ?? (name.index === undefined ? undefined : `@${name.index}`);
      return `${name.transport}:${name.path}${image === undefined ? '' : `:${image}`}`;
    }
    case 'dir':
      return `dir:${name.path}`;
    case 'docker-archive':
      return `docker-archive:${name.path}${name.reference === undefined ? '' : `:${name.reference}`}`;
    case 'containers-storage':
    default:
      return `${name.transport}:${name.reference}`;
  }
}

function dockerName(text: string): ImageName {
  const reference = parseDockerReference(text);
  if (reference.tag !== undefined && reference.digest !== undefined) {
    throw bad(
      'reference/tag-and-digest',
      'Docker references with both a tag and digest are currently not supported',
      'leave out the tag: the digest alone says which image is meant',
    );
  }
  return { transport: 'docker', reference: withDefaultTag(reference) };
}

/** `PATH`, `PATH:name` or `PATH:@index`; the first colon splits. */
function layoutName(transport: 'oci' | 'oci-archive', text: string): ImageName {
  const colon = text.indexOf(':');
  const path = checkPath(colon < 0 ? text : text.slice(0, colon));
  const image = colon < 0 ? '' : text.slice(colon + 1);
  if (image === '') return { transport, path };
  if (image.startsWith('@')) {
    if (!/^@(?:0|[1-9][0-9]{0,8})$/.test(image)) {
      throw bad('reference/bad-layout-name', `${JSON.stringify(image)} is not @ and a place in the index`);
    }
    return { transport, path, index: Number(image.slice(1)) };
  }
  if (!image.split('/').every((component) => OCI_COMPONENT.test(component))) {
    throw bad('reference/bad-layout-name', `Invalid image ${JSON.stringify(image)}`);
  }
  return { transport, path, image };
}

function archiveName(text: string): ImageName {
  const colon = text.indexOf(':');
  const path = checkPath(colon < 0 ? text : text.slice(0, colon));
  const reference = colon < 0 ? '' : text.slice(colon + 1);
  return { transport: 'docker-archive', path, ...(reference !== '' && { reference }) };
}

function checkPath(path: string): string {
  if (path === '') throw bad('reference/bad-path', 'image name has no path');
  if (path.includes('\0')) throw bad('reference/bad-path', 'path contains a zero byte');
  return path;
}

function bad(code: `reference/${string}`, message: string, hint?: string): BootsealError {
  return new BootsealError(code, message, {
    hint: hint ?? 'see containers-transports(5) for image names',
    exit: 2,
  });
}
