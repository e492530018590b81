/** The objects that a composefs image takes its contents from. */
import { encodeHex } from '../../bytes/hex.ts';
import { treeFromImage } from '../../composefs/from-image.ts';
import { shownPath } from '../../composefs/entry-path.ts';
import { walkTree } from '../../composefs/tree.ts';
import { BootsealError } from '../../errors.ts';
import { readErofs } from '../../formats/erofs/reader.ts';
import { readObject, type ComposefsRepo } from '../../stores/composefs-repo/repository.ts';

/** Bytes of a composefs image: a few hundred for each file. */
const MAX_IMAGE_SIZE: number = 2 ** 31;

/**
 * Digests in hexadecimal, each once. The image is checked against its own digest first, and then read as strictly as
 * it can be. Throws `repo/…`, `erofs/…`, `composefs/…`, and `repo/unverified-file` (exit 1) for a file with content
 * outside the image and no digest: the kernel would take any object for it.
 */
export async function imageObjects(repo: ComposefsRepo, digest: string): Promise<ReadonlySet<string>> {
  const bytes = await readObject(repo, digest, MAX_IMAGE_SIZE);
  const objects = new Set<string>();
  walkTree(treeFromImage(readErofs(bytes)), (path, node) => {
    if (node.kind !== 'regular' || node.content.kind !== 'external') return;
    const object = node.content.digests[repo.meta.algorithm];
    if (object === undefined) throw unverified(digest, path);
    objects.add(encodeHex(object));
  });
  return objects;
}

function unverified(image: string, path: string): BootsealError {
  return new BootsealError('repo/unverified-file', `image ${image} has a file without a digest`, {
    exit: 1,
    where: shownPath(`/${path}`),
  });
}
