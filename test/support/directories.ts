/** Reads directories, through the real store. */
import { treeFromDirectory, type FromDirectoryOptions } from '../../src/composefs/from-directory.ts';
import type { Tree } from '../../src/composefs/tree.ts';
import { inlineHashPool } from '../../src/formats/fsverity/inline-hash-pool.ts';
import type { VerityAlgorithm } from '../../src/formats/fsverity/format.ts';
import { openDirectoryTree } from '../../src/stores/directory-tree/open.ts';

export async function readDirectory(
  path: string,
  options: Partial<FromDirectoryOptions> = {},
): Promise<Tree> {
  const { algorithms = ['sha512'] as readonly VerityAlgorithm[] } = options;
  const source = openDirectoryTree(path);
  try {
    return await treeFromDirectory(source, {
      openHashPool: () => inlineHashPool(algorithms),
      ...options,
      algorithms,
    });
  } finally {
    source.close();
  }
}
