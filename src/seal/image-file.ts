/** composefs images in files. */
import { treeFromImage, type ImageProblem } from '../composefs/from-image.ts';
import { isBootsealError, withDetails } from '../errors.ts';
import { readErofs, type ErofsImage } from '../formats/erofs/reader.ts';
import type { ErofsProblem } from '../formats/erofs/reading.ts';
import { readBootFile } from '../stores/boot-file.ts';

/** The image, checked. Throws `file/unreadable`, `erofs/…` with the file in `where`. */
export async function readImageFile(path: string): Promise<ErofsImage> {
  const bytes = await readBootFile(path);
  try {
    return readErofs(bytes);
  } catch (error) {
    throw isBootsealError(error) ? withDetails(error, { where: path }) : error;
  }
}

export interface ImageCheck {
  /** Undefined where not even that could be read. */
  readonly version?: number;
  readonly inodes: number;
  /** Offsets in bytes or paths in `where`. */
  readonly problems: readonly { readonly code: string; readonly message: string; readonly where: string }[];
}

/** Everything that is wrong with an image, as far as it can be read. Throws `file/unreadable`. */
export async function checkImageFile(path: string): Promise<ImageCheck> {
  const problems: ErofsProblem[] = [];
  const image = readErofs(await readBootFile(path), problems);
  const ofBytes = problems.map(({ code, message, offset }) => ({ code, message, where: `offset ${offset}` }));
  if (image === undefined) return { inodes: 0, problems: ofBytes };
  const ofTree: ImageProblem[] = [];
  treeFromImage(image, ofTree);
  return {
    version: image.version,
    inodes: image.inodes.size,
    problems: [...ofBytes, ...ofTree.map(({ code, message, path: where }) => ({ code, message, where }))],
  };
}
