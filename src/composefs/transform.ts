/**
 * What composefs-rs changes in a tree between reading it and writing the image: so that metadata which differs
 * between ways of installing has no part in the digest, and that /boot and /sysroot can be mounted over.
 */
import { BootsealError } from '../errors.ts';
import { checkAboot, isAbootFile } from './aboot.ts';
import { checkBootEntries, isLoaderEntry } from './boot-entries.ts';
import { findPolicy, isSelinuxFile } from './selinux/config.ts';
import { parseFileContexts } from './selinux/file-contexts.ts';
import { relabel, SELINUX_XATTR } from './selinux/relabel.ts';
import { refuseHardlinkedWhiteouts } from './links.ts';
import { cloneTree, EMPTY_STAT, walkTree, type Directory, type Stat, type Time, type Tree } from './tree.ts';

/** `allowlist` keeps security.capability alone, as bootc does; `keep-user` user.* as well; `all` every one. */
export type XattrFilter = 'allowlist' | 'keep-user' | 'all';

/** Nanoseconds of /boot and /sysroot: left as they are, or taken from /usr (composefs-rs since pull request 396). */
export type BootNanoseconds = 'keep' | 'usr';

/** True for files whose content a transform looks at; whoever reads the layers keeps it. */
export function neededByTransform(path: string, size: number): boolean {
  return isLoaderEntry(path, size) || isSelinuxFile(path, size) || isAbootFile(path, size);
}

/**
 * The tree of an OCI image. Throws `composefs/bad-layout`. The tree given is left as it is; the new one may share
 * files and directories with it.
 */
export function transformForOci(tree: Tree, options: { readonly xattrs: XattrFilter }): Tree {
  const result = withStats(tree, xattrFilter(options.xattrs));

  // 1. The root gets /usr's metadata: layers rarely hold an entry for the root itself.
  const usr = requireDirectory(result, 'usr');
  result.root.stat = usr.stat;

  // 2. /run is a mount point, and tools leave things in it while they build.
  if (result.root.children.has('run')) emptied(result, 'run', usr.stat.mtime);
  return result;
}

/**
 * The tree as composefs-rs took it at first (bootc 1.12): a root that no layer has an entry for is as old as the
 * newest file. The tree given is left as it is; the new one may share files and directories with it.
 */
export function withNewestRoot(tree: Tree, options: { readonly xattrs: XattrFilter }): Tree {
  const result = withStats(tree, xattrFilter(options.xattrs));
  if (tree.root.stat !== EMPTY_STAT) return result;
  let newest = 0n;
  walkTree(tree, (_, { stat }) => {
    if (stat.mtime.seconds > newest) newest = stat.mtime.seconds;
  });
  result.root.stat = { ...EMPTY_STAT, mode: 0o555, mtime: { seconds: newest, nanos: 0 } };
  return result;
}

export interface BootOptions {
  readonly bootNsec: BootNanoseconds;
  /** Seconds of /boot and /sysroot: those of /usr, or of 1970. Default `usr`. */
  readonly time?: 'usr' | 'zero';
  /** Also check `/boot/aboot-*.img`. Default false. */
  readonly aboot?: boolean;
  /**
   * Whether names of one file that get different SELinux labels become files of their own (default), or the last of
   * them in depth-first order labels the one file.
   */
  readonly splitHardlinks?: boolean;
}

/**
 * The tree of a bootable image, from what {@link transformForOci} gave. Throws `composefs/bad-layout`,
 * `composefs/bad-boot-entry`, and what {@link findPolicy}, {@link parseFileContexts} and {@link relabel} throw. The
 * tree given is left as it is; the new one may share files and directories with it.
 */
export function transformForBoot(tree: Tree, options: BootOptions): Tree {
  // 1. What the image may not hold before /boot is emptied and labels split hardlinks: it is stored like that too.
  refuseHardlinkedWhiteouts(tree);

  // 2. Boot entries must make sense, although none of them stays.
  checkBootEntries(tree);
  if (options.aboot === true) checkAboot(tree);

  // 3. Old labels go. (They have gone already where the allowlist was applied.)
  const policy = findPolicy(tree);
  const unlabelled = (stat: Stat): Stat => filterXattrs(stat, (name) => name !== SELINUX_XATTR);
  const result = policy === undefined ? withStats(tree, unlabelled) : cloneTree(tree, unlabelled);

  // 4. /boot and /sysroot become empty, with /usr's time.
  const { seconds, nanos } =
    options.time === 'zero' ? EMPTY_STAT.mtime : requireDirectory(result, 'usr').stat.mtime;
  for (const name of ['boot', 'sysroot']) {
    const kept = requireDirectory(result, name).stat.mtime.nanos;
    emptied(result, name, { seconds, nanos: options.bootNsec === 'usr' ? nanos : kept });
  }

  // 5. The image's own policy, where it has one, gives every file a label.
  if (policy !== undefined) {
    relabel(result, parseFileContexts(policy), { splitHardlinks: options.splitHardlinks ?? true });
  }
  return result;
}

/** In place of a directory of the root, one of its kind with nothing in it. */
function emptied(tree: Tree, name: string, mtime: Time): void {
  const { stat } = requireDirectory(tree, name);
  tree.root.children.set(name, { kind: 'directory', stat: { ...stat, mtime }, children: new Map() });
}

/**
 * A tree with other stats, its root a new one. Where none changes, everything below the root is that of the old
 * tree: of 200,000 files a copy takes 30 MB.
 */
function withStats(tree: Tree, change: (stat: Stat) => Stat): Tree {
  const open: Directory[] = [tree.root];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    if (change(directory.stat) !== directory.stat) return cloneTree(tree, change);
    for (const node of directory.children.values()) {
      if (node.kind === 'directory') open.push(node);
      else if (change(node.stat) !== node.stat) return cloneTree(tree, change);
    }
  }
  return { root: { kind: 'directory', stat: tree.root.stat, children: new Map(tree.root.children) } };
}

function xattrFilter(filter: XattrFilter): (stat: Stat) => Stat {
  if (filter === 'all') return (stat) => stat;
  return (stat) =>
    filterXattrs(
      stat,
      (name) => name === 'security.capability' || (filter === 'keep-user' && name.startsWith('user.')),
    );
}

function filterXattrs(stat: Stat, keeps: (name: string) => boolean): Stat {
  if (stat.xattrs.size === 0 || [...stat.xattrs.keys()].every(keeps)) return stat;
  return { ...stat, xattrs: new Map([...stat.xattrs].filter(([name]) => keeps(name))) };
}

function requireDirectory(tree: Tree, name: string): Directory {
  const node = tree.root.children.get(name);
  if (node?.kind === 'directory') return node;
  throw new BootsealError(
    'composefs/bad-layout',
    node === undefined ? `the image has no /${name}` : `/${name} is no directory`,
    {
      where: `/${name}`,
      hint: `an image that bootc installs has a directory /${name}`,
    },
  );
}
