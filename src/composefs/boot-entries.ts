/**
 * The boot entries of an image, looked at only to refuse what composefs-rs refuses before it makes a bootable
 * image: Boot Loader Specification type 1 (`/boot/loader/entries/*.conf`), type 2 (`*.efi`), and kernels under
 * /usr/lib/modules. Symbolic links are not followed.
 */
import { decodeUtf8, encodeLatin1 } from '../bytes/bytes.ts';
import { BootsealError } from '../errors.ts';
import { shownPath } from './entry-path.ts';
import { contentOf, sortedChildren, type Directory, type Tree } from './tree.ts';

const ENTRIES = 'boot/loader/entries';
const UKI_FOLDER = 'boot/EFI/Linux';
const MODULES = 'usr/lib/modules';

/** A loader entry is a few lines. More is kept from memory, and then refused. */
const MAX_ENTRY_FILE = 1024 * 1024;

/** True for files whose content the check needs. */
export function isLoaderEntry(path: string, size: number): boolean {
  return path.startsWith(`${ENTRIES}/`) && path.endsWith('.conf') && size <= MAX_ENTRY_FILE;
}

/** Throws `composefs/bad-boot-entry`, `composefs/not-a-directory`. */
export function checkBootEntries(tree: Tree): void {
  // 1. Loader entries, and the files that they name.
  for (const [name, node] of sortedChildrenOf(tree, ENTRIES)) {
    if (!name.endsWith('.conf')) continue;
    const path = `${ENTRIES}/${name}`;
    if (node.kind !== 'regular') throw badEntry(path, 'is not a regular file');
    const content = contentOf(node);
    if (content === undefined)
      throw badEntry(path, 'has a content that was not kept: over 1 MiB, or a hardlink from elsewhere');
    checkLoaderEntry(tree, path, content);
  }
  // 2. Unified kernel images and addons, at any depth.
  checkEfiFiles(directoryAt(tree, UKI_FOLDER), UKI_FOLDER);
  // 3. Kernels, one folder a version; their UKIs too.
  for (const [version, node] of sortedChildrenOf(tree, MODULES)) {
    if (node.kind !== 'directory') continue;
    checkEfiFiles(node, `${MODULES}/${version}`);
    if (node.children.get('vmlinuz')?.kind === 'regular' && decodeUtf8(encodeLatin1(version)) === undefined) {
      throw badEntry(`${MODULES}/${version}`, 'is a kernel version that is not UTF-8');
    }
  }
}

function checkLoaderEntry(tree: Tree, path: string, content: Uint8Array): void {
  const text = decodeUtf8(content);
  if (text === undefined) throw badEntry(path, 'is not UTF-8');
  for (const line of text.split('\n')) {
    const match = /^(linux|initrd|efi)[ \t\n\f\r]\s*(.*)$/s.exec(line);
    if (match === null) continue;
    const [, key, value] = match;
    if (!isRegularFile(tree, Buffer.from(value, 'utf8').toString('latin1'))) {
      throw badEntry(
        path,
        `names ${JSON.stringify(value)} for ${key}, which is no regular file of the image`,
      );
    }
  }
}

function isRegularFile(tree: Tree, path: string): boolean {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const file = names.pop();
  if (file === undefined || names.includes('..')) return false;
  let directory: Directory = tree.root;
  for (const name of names) {
    const next = directory.children.get(name);
    if (next?.kind !== 'directory') return false;
    directory = next;
  }
  return directory.children.get(file)?.kind === 'regular';
}

function checkEfiFiles(top: Directory | undefined, topPath: string): void {
  const folders: [folder: Directory | undefined, path: string][] = [[top, topPath]];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const [folder, path] = next;
    for (const [name, node] of folder?.children ?? []) {
      if (node.kind === 'directory') folders.push([node, `${path}/${name}`]);
      else if (name.endsWith('.efi') && node.kind !== 'regular') {
        throw badEntry(`${path}/${name}`, 'is not a regular file');
      }
    }
  }
}

function sortedChildrenOf(tree: Tree, path: string): ReturnType<typeof sortedChildren> {
  const directory = directoryAt(tree, path);
  return directory === undefined ? [] : sortedChildren(directory);
}

/** A directory, or undefined where the path ends early. Throws where something else stands in its place. */
export function directoryAt(tree: Tree, path: string): Directory | undefined {
  let directory = tree.root;
  for (const name of path.split('/')) {
    const next = directory.children.get(name);
    if (next === undefined) return undefined;
    if (next.kind !== 'directory') {
      throw new BootsealError('composefs/not-a-directory', `${shownPath(name)} must be a directory`, {
        where: shownPath(path),
      });
    }
    directory = next;
  }
  return directory;
}

function badEntry(path: string, what: string): BootsealError {
  return new BootsealError('composefs/bad-boot-entry', `boot entry ${what}`, {
    where: shownPath(path),
    hint: 'bootc refuses such an image as well; mend or remove the entry',
  });
}
