/** Names of leaves: how many each has, and which is the first. */
import { BootsealError } from '../errors.ts';
import { shownPath } from './entry-path.ts';
import { sortedChildren, type Directory, type Leaf, type Tree, type TreeNode } from './tree.ts';

export interface LeafLinks {
  /** The first name in depth-first order, where every version of the format numbers the file. */
  readonly parent: Directory;
  readonly name: string;
  count: number;
}

/**
 * Throws `composefs/hardlinked-whiteout`: a whiteout device cannot be escaped at one name and not at another, so
 * every version refuses it.
 */
export function countLinks(tree: Tree): Map<Leaf, LeafLinks> {
  const links = new Map<Leaf, LeafLinks>();
  const stack: [parent: Directory, name: string, node: TreeNode][] = [[tree.root, '', tree.root]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [parent, name, node] = next;
    if (node.kind === 'directory') {
      const children = sortedChildren(node);
      for (let at = children.length - 1; at >= 0; at--) stack.push([node, ...children[at]]);
      continue;
    }
    const link = links.get(node);
    if (link === undefined) {
      links.set(node, { parent, name, count: 1 });
      continue;
    }
    link.count += 1;
    if (isWhiteout(node)) throw hardlinkedWhiteout(name);
  }
  return links;
}

/** As {@link countLinks}, where the links themselves do not matter. */
export function refuseHardlinkedWhiteouts(tree: Tree): void {
  const seen = new Set<TreeNode>();
  const stack: Directory[] = [tree.root];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    for (const [name, node] of next.children) {
      if (node.kind === 'directory') stack.push(node);
      else if (isWhiteout(node) && seen.size === seen.add(node).size) throw hardlinkedWhiteout(name);
    }
  }
}

function isWhiteout(node: TreeNode): boolean {
  return node.kind === 'character' && node.rdev === 0;
}

function hardlinkedWhiteout(name: string): BootsealError {
  return new BootsealError(
    'composefs/hardlinked-whiteout',
    'a whiteout device (0:0) has more than one name',
    { where: shownPath(name) },
  );
}
