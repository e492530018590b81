/** Links of directories. */
import type { Directory } from './tree.ts';

/** Its own entry, its parent's, and the `..` of each directory in it. */
export function directoryLinks(directory: Directory): number {
  let links = 2;
  for (const child of directory.children.values()) if (child.kind === 'directory') links += 1;
  return links;
}
