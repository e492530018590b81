/** The objects that a composefs image takes its contents from. */
import { encodeHex } from '../../bytes/hex.ts';
import { treeFromImage } from '../../composefs/from-image.ts';
import { walkTree } from '../../composefs/tree.ts';
import { readErofs } from '../../formats/erofs/reader.ts';
import { readObject, type ComposefsRepo } from '../../stores/composefs-repo/repository.ts';

/** Bytes of a composefs image: a few hundred for each file. */
export const MAX_IMAGE_SIZE: number = 2 ** 31;

/**
 * Digests in hexadecimal, each once. The image is checked against its own digest first. Throws `repo/…`, `erofs/…`,
 * `composefs/…`.
 */
export async function imageObjects(repo: ComposefsRepo, digest: string): Promise<ReadonlySet<string>> {
  const bytes = await readObject(repo, digest, MAX_IMAGE_SIZE);
  const objects = new Set<string>();
  walkTree(treeFromImage(readErofs(bytes)), (_path, node) => {
    if (node.kind !== 'regular' || node.content.kind !== 'external') return;
    const object = node.content.digests[repo.meta.algorithm];
    if (object !== undefined) objects.add(encodeHex(object));
  });
  return objects;
}
