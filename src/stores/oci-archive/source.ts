/** Reading an image from a tar of an OCI layout, without unpacking it. */
import { isBootsealError, withDetails } from '../../errors.ts';
import type { ImageName } from '../../formats/reference/image-name.ts';
import { cannotRead } from '../file-errors.ts';
import type { ImageSource } from '../image.ts';
import { openRegular, readRange, type LayoutFiles } from '../oci-layout/files.ts';
import { sourceOfLayout } from '../oci-layout/source.ts';
import { indexTar } from './tar-index.ts';

type ArchiveName = Extract<ImageName, { readonly transport: 'oci' | 'oci-archive' }>;

/** Throws `oci/bad-archive`, `tar/…` and what a layout may throw. */
export async function openArchiveSource(name: ArchiveName, signal?: AbortSignal): Promise<ImageSource> {
  return sourceOfLayout(name, await archiveFiles(name.path), signal);
}

async function archiveFiles(path: string): Promise<LayoutFiles> {
  const file = await openRegular(path);
  if (file === undefined) throw cannotRead(path, 'no such file');
  try {
    const index = await indexTar(file);
    return {
      open(inner, options) {
        const entry = index.get(inner);
        return Promise.resolve(
          entry && {
            size: entry.size,
            bytes: readRange(file, entry.offset, entry.size, options?.signal, false, options?.reuseChunks),
            close: () => Promise.resolve(),
          },
        );
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw isBootsealError(error) ? withDetails(error, { where: path }) : error;
  }
}
