/** Gives every file of a tree the label that the image's own policy says, in place of any that it had. */
import { sortedChildren, type Directory, type Leaf, type Stat, type Tree, type TreeNode } from '../tree.ts';
import type { DfaState } from './dfa.ts';
import type { FileContexts } from './file-contexts.ts';
import { compileSpecs } from './matcher.ts';

export const SELINUX_XATTR = 'security.selinux';

const TYPE_LETTERS: Readonly<Record<TreeNode['kind'], string>> = {
  directory: 'd',
  regular: '-',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
};

/** A directory whose children are being labelled. */
interface Frame {
  readonly directory: Directory;
  readonly children: readonly (readonly [name: string, node: TreeNode])[];
  at: number;
  /** As the policy sees it; kept only where something asks for whole paths. */
  path: string;
  /** After the path and the slash that comes before a child's name. */
  state: DfaState;
}

/** Stats that are remembered: most of those of one package. */
const RECENT = 1024;

export interface RelabelOptions {
  /**
   * Whether names of one file that get different labels become files of their own, the first keeping the old one, or
   * the last of them labels the one file.
   */
  readonly splitHardlinks: boolean;
}

/** Changes the stats of the tree, which must hold no labels yet. Throws what {@link compileSpecs} throws. */
export function relabel(tree: Tree, { specs, aliases }: FileContexts, options: RelabelOptions): void {
  const matcher = compileSpecs(specs);
  const keepsPaths = matcher.needsPath || aliases.size > 0;
  const labelled = new Map<Leaf, Uint8Array | undefined>();
  const maps = new Map<Uint8Array, ReadonlyMap<string, Uint8Array>>();
  /** What became of stats, which many files share: they go on sharing. */
  const recent = new Map<Stat, Map<Uint8Array, Stat>>();

  function labelOf(state: DfaState, node: TreeNode, path: string): Uint8Array | undefined {
    const index = matcher.match(state, TYPE_LETTERS[node.kind], path);
    return index < 0 ? undefined : specs[index].context;
  }

  function labelledStat(stat: Stat, label: Uint8Array | undefined): Stat {
    if (label === undefined) return stat;
    let byLabel = recent.get(stat);
    if (byLabel === undefined) {
      if (recent.size === RECENT) recent.clear();
      recent.set(stat, (byLabel = new Map()));
    }
    let result = byLabel.get(label);
    if (result === undefined) byLabel.set(label, (result = withLabel(stat, label)));
    return result;
  }

  function withLabel(stat: Stat, label: Uint8Array): Stat {
    let xattrs = stat.xattrs.size === 0 ? maps.get(label) : new Map([...stat.xattrs, [SELINUX_XATTR, label]]);
    if (xattrs === undefined) maps.set(label, (xattrs = new Map([[SELINUX_XATTR, label]])));
    return { ...stat, xattrs };
  }

  function enter(directory: Directory, path: string, state: DfaState): Frame {
    directory.stat = labelledStat(directory.stat, labelOf(state, directory, path));
    const children = sortedChildren(directory);
    return { directory, children, at: 0, path, state: path.endsWith('/') ? state : matcher.run(state, '/') };
  }

  function label(parent: Directory, name: string, leaf: Leaf, wanted: Uint8Array | undefined): void {
    if (!labelled.has(leaf)) {
      labelled.set(leaf, wanted);
      leaf.stat = labelledStat(leaf.stat, wanted);
    } else if (labelled.get(leaf) !== wanted) {
      const plain = new Map([...leaf.stat.xattrs].filter(([key]) => key !== SELINUX_XATTR));
      const stat = labelledStat({ ...leaf.stat, xattrs: plain }, wanted);
      if (options.splitHardlinks) {
        parent.children.set(name, { ...leaf, stat });
      } else {
        leaf.stat = stat;
        labelled.set(leaf, wanted);
      }
    }
  }

  const stack = [enter(tree.root, '/', matcher.run(matcher.start, '/'))];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    if (frame.at === frame.children.length) {
      stack.pop();
      continue;
    }
    // 1. The path of the child, or the one that it is looked up under; everything in it goes on from there.
    const [name, node] = frame.children[frame.at++];
    let state = matcher.run(frame.state, name);
    let path = '';
    if (keepsPaths) {
      path = frame.path.endsWith('/') ? frame.path + name : `${frame.path}/${name}`;
      const original = aliases.get(path);
      if (original !== undefined) {
        path = original;
        state = matcher.run(matcher.start, path);
      }
      settle(frame);
    }
    // 2. A directory is labelled before what is in it.
    if (node.kind === 'directory') stack.push(enter(node, path, state));
    else label(frame.directory, name, node, labelOf(state, node, path));
  }

  /**
   * composefs-rs takes a child's name off the path again by its components, so the slashes and dots that an alias
   * may end in are there for the first child only.
   */
  function settle(frame: Frame): void {
    if (frame.path === '/' || !/\/\.?$/.test(frame.path)) return;
    frame.path = frame.path.replace(/(?:\/\.?)+$/, '') || '/';
    frame.state = matcher.run(matcher.start, frame.path === '/' ? '/' : `${frame.path}/`);
  }
}
