/**
 * Signatures that are there and that policy.json cannot use: an attachment that registries.d says not to read, and the
 * bundles that cosign 3 makes. Asked for only when something has to be explained, and never a reason of its own.
 */
import { isBootsealError } from '../errors.ts';
import { attachmentTag } from '../formats/cosign/attachment.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { repositoryName, type DockerReference } from '../formats/reference/docker-reference.ts';
import type { ImageSource } from '../stores/image.ts';
import type { LookedIn } from '../trust/verdict.ts';

export async function lookFurther(
  source: ImageSource,
  digest: Digest,
  lookedIn: readonly LookedIn[],
): Promise<readonly LookedIn[]> {
  const found: LookedIn[] = [];
  const wasRead = lookedIn.some(({ place }) => place === attachmentTag(digest));
  if (!wasRead && source.attachment !== undefined) {
    const attachment = await quietly(async () => source.attachment?.(digest));
    if (attachment !== undefined) {
      const mirror = mirrorOf(source);
      const whose = mirror === undefined ? 'this repository' : `this mirror, ${repositoryName(mirror)}`;
      found.push({ place: attachmentTag(digest), result: `there, but attachments are off for ${whose}` });
    }
  }
  if (source.referrers !== undefined) {
    const { readBundles } = await import('./bundles-of.ts');
    const bundlesFound = (await quietly(() => readBundles(source, digest))) ?? [];
    const count = bundlesFound.filter((each) => 'bundle' in each).length;
    if (count > 0) {
      const bundles = count === 1 ? '1 cosign bundle' : `${count} cosign bundles`;
      found.push({ place: 'referrers', result: `${bundles}, which this policy type cannot use` });
    }
  }
  return found;
}

/** Where the bytes came from, when that is not the name that was asked for. */
export function mirrorOf({ name, physical }: ImageSource): DockerReference | undefined {
  if (physical === undefined || name.transport !== 'docker') return undefined;
  const { domain, path } = name.reference;
  return physical.domain === domain && physical.path === path ? undefined : physical;
}

/** The verdict stands without it. */
async function quietly<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return undefined;
  }
}
