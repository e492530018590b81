/** Which instances of an index are judged. */
import { BootsealError } from '../errors.ts';
import type { Descriptor, Platform } from '../formats/oci/descriptor.ts';
import type { ImageIndex } from '../formats/oci/manifest.ts';
import { chooseInstance, formatPlatform } from '../formats/oci/platform.ts';

/** Throws `verify/no-instance`. */
export function chooseInstances(index: ImageIndex, all: boolean, platform: Platform): readonly Descriptor[] {
  const instance = chooseInstance(index, platform);
  const chosen = all ? index.manifests : instance === undefined ? [] : [instance];
  if (chosen.length > 0) return chosen;
  const offered = index.manifests.flatMap(({ platform: own }) => (own ? formatPlatform(own) : []));
  throw new BootsealError(
    'verify/no-instance',
    `no image found in the index for ${formatPlatform(platform)}`,
    {
      hint: offered.length > 0 ? `the index has ${offered.slice(0, 20).join(', ')}` : 'the index is empty',
    },
  );
}
