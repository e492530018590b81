/** The tree of a directory for an image of its own: filtered as asked, its contents kept in a store if there is one. */
import { join } from 'node:path';
import { filterTree, hasHardlinks, type TreeFilter } from '../composefs/filter-tree.ts';
import { treeFromDirectory } from '../composefs/from-directory.ts';
import { rulesDiffer, type ImageRules } from '../composefs/image-rules.ts';
import { walkTree, type Tree } from '../composefs/tree.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { storeObject } from '../stores/digest-store.ts';
import { openDirectoryTree } from '../stores/directory-tree/open.ts';
import { openHashPool } from '../stores/hash-pool/pool.ts';

export interface DirectoryOptions extends Omit<TreeFilter, 'splitHardlinks'> {
  readonly algorithm: VerityAlgorithm;
  readonly rules: ImageRules;
  /** Names of one file stay names of one file. Neither mkcomposefs program keeps them unasked. */
  readonly hardlinks: boolean;
  /** Folder to copy contents of more than 64 bytes into. */
  readonly digestStore?: string;
  readonly signal?: AbortSignal;
}

/** Throws `composefs/rules-differ`, `tree/…`, `file/…`, `fsverity/changed`. */
export async function treeOfDirectory(path: string, options: DirectoryOptions): Promise<Tree> {
  const { algorithm, signal } = options;
  const source = openDirectoryTree(path, signal === undefined ? {} : { signal });
  let whole: Tree;
  try {
    whole = await treeFromDirectory(source, {
      algorithms: [algorithm],
      openHashPool: (bytes) => openHashPool([algorithm], { expectedBytes: bytes, whole: true }),
    });
  } finally {
    source.close();
  }
  if (options.rules === 'strict' && !options.hardlinks && hasHardlinks(whole)) {
    throw rulesDiffer(
      'files of several names: --hardlinks keeps them, the mkcomposefs programs do not',
      path,
    );
  }
  const tree = filterTree(whole, { ...options, splitHardlinks: !options.hardlinks });
  if (options.digestStore !== undefined) await storeContents(path, tree, options.digestStore, algorithm);
  return tree;
}

async function storeContents(
  root: string,
  tree: Tree,
  store: string,
  algorithm: VerityAlgorithm,
): Promise<void> {
  const files: [path: string, digest: Uint8Array][] = [];
  walkTree(tree, (path, node) => {
    if (node.kind !== 'regular' || node.content.kind !== 'external') return;
    const digest = node.content.digests[algorithm];
    if (digest !== undefined) files.push([path, digest]);
  });
  const folder = Buffer.from(join(root, '/'));
  for (const [path, digest] of files) {
    await storeObject(store, digest, algorithm, Buffer.concat([folder, Buffer.from(path, 'latin1')]));
  }
}
