/** SELinux labels of a bootable image: from the image's own policy, or none where it has no policy. */
import type { Tree } from '../tree.ts';
import { findPolicy } from './config.ts';
import { parseFileContexts } from './file-contexts.ts';
import { relabel, type RelabelOptions } from './relabel.ts';

/**
 * Labels a tree that holds no labels, in place. Throws `composefs/bad-selinux-config`,
 * `composefs/bad-selinux-policy`, `composefs/bad-selinux-pattern`, `composefs/selinux-pattern-unsupported`,
 * `composefs/selinux-too-complex`, `composefs/not-a-directory`, `composefs/content-unknown`.
 */
export function applyPolicy(tree: Tree, options: RelabelOptions): void {
  const files = findPolicy(tree);
  if (files !== undefined) relabel(tree, parseFileContexts(files), options);
}
