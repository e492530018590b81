/** Whether the name in a signature stands for the image: `signedIdentity` of containers-policy.json(5). */
import { isBootsealError } from '../errors.ts';
import type { IdentityMatch } from '../formats/policy-json/policy.ts';
import {
  formatReference,
  parseDockerReference,
  repositoryName,
  type DockerReference,
} from '../formats/reference/docker-reference.ts';

/**
 * `image` is the reference that the user typed (`:latest` already added), undefined for images that have none (`dir:`,
 * `oci:`). `signed` is the text in the signature. What cannot be parsed matches nothing; nothing is ever thrown.
 */
export function matchesIdentity(
  rule: IdentityMatch,
  image: DockerReference | undefined,
  signed: string,
): boolean {
  const signedReference = tryParse(signed);
  if (signedReference === undefined) return false;
  switch (rule.type) {
    case 'exactReference': {
      const wanted = tryParse(rule.dockerReference);
      return (
        wanted !== undefined && isFull(wanted) && isFull(signedReference) && same(wanted, signedReference)
      );
    }
    case 'exactRepository': {
      const wanted = tryParse(rule.dockerRepository);
      return wanted !== undefined && sameRepository(wanted, signedReference);
    }
    case 'matchExact':
      return image !== undefined && isFull(image) && isFull(signedReference) && same(image, signedReference);
    case 'matchRepository':
      return image !== undefined && sameRepository(image, signedReference);
    case 'matchRepoDigestOrExact':
      return image !== undefined && matchesDigestOrExact(image, signedReference);
    case 'remapIdentity': {
      const remapped = image && remap(rule.prefix, rule.signedPrefix, image);
      return remapped !== undefined && matchesDigestOrExact(remapped, signedReference);
    }
    default:
      return false;
  }
}

/**
 * An image asked for by tag must be signed under that tag. One asked for by digest alone may be signed under any tag
 * of its repository: the digest has already said which bytes are meant.
 */
function matchesDigestOrExact(image: DockerReference, signed: DockerReference): boolean {
  if (!isFull(signed)) return false;
  if (image.tag !== undefined) return same(image, signed);
  return image.digest !== undefined && sameRepository(image, signed);
}

/** The image under its signed name: itself where the prefix does not fit, undefined where the result is no full name. */
function remap(prefix: string, signedPrefix: string, image: DockerReference): DockerReference | undefined {
  const name = repositoryName(image);
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image;
  const text = signedPrefix + formatReference(image).slice(prefix.length);
  const remapped = tryParse(text);
  // Short forms ("a/b" for docker.io/a/b) are not understood here: the result must be written out.
  return remapped !== undefined && formatReference(remapped) === text ? remapped : undefined;
}

function isFull(reference: DockerReference): boolean {
  return reference.tag !== undefined || reference.digest !== undefined;
}

function same(a: DockerReference, b: DockerReference): boolean {
  return formatReference(a) === formatReference(b);
}

function sameRepository(a: DockerReference, b: DockerReference): boolean {
  return repositoryName(a) === repositoryName(b);
}

function tryParse(text: string): DockerReference | undefined {
  try {
    return parseDockerReference(text);
  } catch (error) {
    if (isBootsealError(error)) return undefined;
    throw error;
  }
}
