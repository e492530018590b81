/**
 * Finds the SELinux policy of an image: /etc/selinux/config names it, and its files lie beside. Nothing is followed
 * on the way, as in composefs-rs: an image with a symbolic link there is refused.
 */
import { BootsealError } from '../../errors.ts';
import { directoryAt } from '../boot-entries.ts';
import { shownPath } from '../entry-path.ts';
import { contentOf, contentSize, type Directory, type Tree, type TreeNode } from '../tree.ts';
import { lines, trimSpace } from './lines.ts';

const FOLDER = 'etc/selinux';
const FILES = ['contexts', 'files'];

/** The parts of a policy, in the order in which they are put together. */
export const SPEC_FILES = ['file_contexts', 'file_contexts.local', 'file_contexts.homedirs'] as const;
export const ALIAS_FILES = ['file_contexts.subs', 'file_contexts.subs_dist'] as const;

/** Far above any real one: Fedora's file_contexts has 0.6 MB. Such a file is kept in memory. */
const MAX_FILE = 32 * 1024 * 1024;

const NEEDED =
  /^etc\/selinux\/(?:config|(?:.*\/)?contexts\/files\/file_contexts(?:\.local|\.homedirs|\.subs|\.subs_dist)?)$/;

/** True for files whose content labelling needs. The path has no leading slash. */
export function isSelinuxFile(path: string, size: number): boolean {
  return path.startsWith('etc/selinux/') && size <= MAX_FILE && NEEDED.test(path);
}

/** A file of the policy: its absolute path, for errors, and its bytes. */
export interface PolicyFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface PolicyFiles {
  readonly specs: readonly PolicyFile[];
  readonly aliases: readonly PolicyFile[];
}

/**
 * Undefined when the image names no policy. Throws `composefs/bad-selinux-config`, `composefs/bad-selinux-policy`,
 * `composefs/not-a-directory`, `composefs/content-unknown`.
 */
export function findPolicy(tree: Tree): PolicyFiles | undefined {
  const folder = directoryAt(tree, FOLDER);
  const config = folder?.children.get('config');
  if (folder === undefined || config === undefined) return undefined;
  const type = policyType(fileOf(config, `${FOLDER}/config`));
  if (type === undefined) return undefined;
  const path = [FOLDER, ...componentsOf(type), ...FILES].join('/');
  const files = directoryAt(tree, path);
  const read = (names: readonly string[]): PolicyFile[] =>
    names.flatMap((name) => {
      const node = files?.children.get(name);
      return node === undefined ? [] : [fileOf(node, `${path}/${name}`)];
    });
  const specs = read(SPEC_FILES);
  if (!hasFile(files, SPEC_FILES[0])) {
    throw new BootsealError(
      'composefs/bad-selinux-policy',
      'the policy that the image names has no file_contexts',
      {
        where: shownPath(`${path}/${SPEC_FILES[0]}`),
        hint: 'install the policy in the image, or remove SELINUXTYPE from /etc/selinux/config',
      },
    );
  }
  return { specs, aliases: read(ALIAS_FILES) };
}

function hasFile(directory: Directory | undefined, name: string): boolean {
  return directory?.children.has(name) ?? false;
}

/** Leading, doubled and trailing slashes mean nothing, nor does `.` but at the start; `..` is refused. */
function componentsOf(type: string): string[] {
  const names = Buffer.from(type, 'utf8').toString('latin1').split('/');
  if (names.includes('..') || names[0] === '.') {
    throw new BootsealError(
      'composefs/bad-selinux-config',
      'the name of the policy is no path below its folder',
      {
        where: `/${FOLDER}/config`,
      },
    );
  }
  return names.filter((name) => name !== '' && name !== '.');
}

function fileOf(node: TreeNode, path: string): PolicyFile {
  const shown = shownPath(path);
  if (node.kind !== 'regular') {
    throw new BootsealError('composefs/bad-selinux-policy', 'a file of the policy is not a regular file', {
      where: shown,
      hint: 'composefs-rs refuses such an image as well',
    });
  }
  const bytes = contentOf(node);
  if (bytes !== undefined) return { path: shown, bytes };
  const size = contentSize(node);
  throw new BootsealError(
    'composefs/content-unknown',
    size > MAX_FILE
      ? `a file of the SELinux policy has ${size} bytes, more than ${MAX_FILE}`
      : 'labelling needs the content of a file of the SELinux policy, and the tree has only its digest',
    { where: shown, hint: 'read the image itself, not a dump of it' },
  );
}

/** Value of the first `SELINUXTYPE=` line. Only the lines up to it need be UTF-8. */
function policyType({ path, bytes }: PolicyFile): string | undefined {
  for (const { text, number } of lines(bytes)) {
    if (text === undefined) {
      throw new BootsealError(
        'composefs/bad-selinux-config',
        'a line of the SELinux configuration is not UTF-8',
        {
          where: `${path}:${number}`,
        },
      );
    }
    const equals = text.indexOf('=');
    if (equals < 0 || !/^SELINUXTYPE$/i.test(trimSpace(text.slice(0, equals)))) continue;
    return trimSpace(text.slice(equals + 1));
  }
  return undefined;
}
