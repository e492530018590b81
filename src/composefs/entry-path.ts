/** Paths of tar entries, taken apart as composefs-rs does, and refused where they could not be a file's name. */
import { BootsealError } from '../errors.ts';
import { MAX_NAME, MAX_PATH } from './limits.ts';
import type { Directory, Tree, TreeNode } from './tree.ts';

/**
 * The components of a path: leading and doubled slashes and `.` vanish. Empty for the root, which a path ending in
 * `..` also means. Throws `layer/bad-path`.
 */
export function splitEntryPath(path: string): string[] {
  if (path === '') throw badPath('an empty path');
  if (path.includes('\0')) throw badPath('a path with a NUL byte');
  if (path.length > MAX_PATH + 1) throw badPath(`a path of ${path.length} bytes`);
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.at(-1) === '..') return [];
  for (const name of names) {
    if (name === '..') throw badPath('a path with ".." in it');
    if (name.length > MAX_NAME) throw badPath(`a name of ${name.length} bytes`);
  }
  return names;
}

/**
 * The directory at these components. Nothing is followed and nothing is made: a parent must have come before, in
 * this layer or a lower one. Throws `layer/missing-parent`, `layer/parent-not-directory`.
 */
export function findDirectory(tree: Tree, names: readonly string[]): Directory {
  let directory = tree.root;
  for (const name of names) {
    const next = directory.children.get(name);
    if (next === undefined) {
      throw new BootsealError(
        'layer/missing-parent',
        `directory ${JSON.stringify(name)} of the path does not exist`,
      );
    }
    if (next.kind !== 'directory') {
      throw new BootsealError(
        'layer/parent-not-directory',
        `${JSON.stringify(name)} in the path is no directory`,
      );
    }
    directory = next;
  }
  return directory;
}

/** What a hardlink links to, in the tree as merged so far. Throws `layer/bad-hardlink` and what a bad path throws. */
export function findHardlinkTarget(tree: Tree, target: string): Exclude<TreeNode, Directory> {
  const names = splitEntryPath(target);
  const node =
    names.length === 0 ? tree.root : findDirectory(tree, names.slice(0, -1)).children.get(names.at(-1)!);
  if (node === undefined) throw badLink('hardlink to a file that does not exist');
  if (node.kind === 'directory') throw badLink('hardlink to a directory');
  return node;
}

/** A path for people: UTF-8 where it is, absolute. Control characters are the renderer's business. */
export function shownPath(path: string): string {
  const text = Buffer.from(path, 'latin1').toString('utf8');
  return text.startsWith('/') ? text : `/${text}`;
}

function badPath(what: string): BootsealError {
  return new BootsealError('layer/bad-path', `${what} cannot be part of an image`);
}

function badLink(message: string): BootsealError {
  return new BootsealError('layer/bad-hardlink', message);
}
