/** The EFI stub of an image that is not the one to be sealed: of a tools image, for example. */
import { contentOf, lookup } from '../composefs/tree.ts';
import { BootsealError } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { ImageSource } from '../stores/image.ts';
import { loadImage } from '../stores/load-image.ts';
import { readTree, type ReadPorts } from './base.ts';
import { efiArchitecture, EFI_STUBS } from './boot-files.ts';

/** Every layer is checked on the way, as always. Throws `seal/no-stub`. */
export async function stubOfImage(
  source: ImageSource,
  platform: Platform | undefined,
  ports: ReadPorts,
): Promise<Uint8Array> {
  const image = await loadImage(source, platform);
  const tree = await readTree(image, ['sha256'], ports);
  const path = `${EFI_STUBS}/linux${efiArchitecture(image.config.architecture)}.efi.stub`;
  const stub = contentOf(lookup(tree, path));
  if (stub === undefined) {
    throw new BootsealError('seal/no-stub', `the image of --stub-from has no /${path}`, {
      hint: 'give an image with systemd-boot installed, or --stub FILE',
    });
  }
  return stub;
}
