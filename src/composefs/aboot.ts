/**
 * Payloads for Android boot loaders, which composefs-rs takes for boot entries from 0.9.4 on. Like all boot entries
 * they are looked at only to refuse what composefs-rs refuses.
 */
import { decodeUtf8, encodeLatin1, equalBytes } from '../bytes/bytes.ts';
import { BootsealError, isBootsealError } from '../errors.ts';
import { readPe } from '../formats/pe/reader.ts';
import { directoryAt } from './boot-entries.ts';
import { shownPath } from './entry-path.ts';
import { contentOf, lookup, sortedChildren, type Directory, type Tree, type TreeNode } from './tree.ts';

const PAYLOAD = /^aboot-(.*)\.img$/s;
const VBMETA = /^vbmeta-(.*)\.img$/s;

/** A kernel with its initramfs. More is kept from memory, and then refused. */
const MAX_PAYLOAD = 512 * 1024 * 1024;

const ANDROID_MAGIC = encodeLatin1('ANDROID!');
/** Offsets in the header of an Android boot image, and the length of a header of version 2. */
const ANDROID = { pageSize: 36, headerVersion: 40, headerSize: 1644, v2: 1660 } as const;

/** True for files whose content the check needs. */
export function isAbootFile(path: string, size: number): boolean {
  return size <= MAX_PAYLOAD && path.startsWith('boot/') && PAYLOAD.test(path.slice('boot/'.length));
}

/** Throws `composefs/bad-boot-entry`. {@link checkBootEntries} comes before it. */
export function checkAboot(tree: Tree): void {
  const boot = directoryAt(tree, 'boot');
  if (boot === undefined) return;
  const names = sortedChildren(boot).map(([name]) => name);
  const payloads = names.filter((name) => PAYLOAD.test(name));

  // 1. A signature without what it signs.
  for (const name of names) {
    const version = VBMETA.exec(name)?.[1];
    if (version !== undefined && !boot.children.has(`aboot-${version}.img`)) {
      throw bad(name, 'has no aboot image beside it');
    }
  }
  // 2. One payload, and nothing else that boots.
  if (payloads.length === 0) return;
  if (payloads.length > 1) throw bad(payloads[1], 'is a second aboot image');
  const [payload] = payloads;
  if (hasOtherEntries(tree)) throw bad(payload, 'stands beside boot entries of another kind');

  // 3. Of a format that the boot loader takes.
  const version = PAYLOAD.exec(payload)?.[1] ?? '';
  if (version === '' || decodeUtf8(encodeLatin1(version)) === undefined) {
    throw bad(payload, 'names no kernel version');
  }
  const signature = boot.children.get(`vbmeta-${version}.img`);
  if (signature !== undefined && signature.kind !== 'regular') {
    throw bad(`vbmeta-${version}.img`, 'is not a regular file');
  }
  const node = boot.children.get(payload);
  if (node?.kind !== 'regular') throw bad(payload, 'is not a regular file');
  const content = contentOf(node);
  if (content === undefined) throw bad(payload, `has a content that was not kept: over ${MAX_PAYLOAD} bytes`);
  if (equalBytes(content.subarray(0, ANDROID_MAGIC.length), ANDROID_MAGIC)) {
    if (!isAndroidV2(content)) throw bad(payload, 'is no Android boot image of version 2');
    return;
  }
  if (!isUki(content))
    throw bad(payload, 'is neither an Android boot image nor a UKI with kernel and initramfs');
  if (signature !== undefined) throw bad(payload, 'is a UKI and has a vbmeta image beside it');
}

function isAndroidV2(content: Uint8Array): boolean {
  if (content.length < ANDROID.v2) return false;
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const pageSize = view.getUint32(ANDROID.pageSize, true);
  const headerSize = view.getUint32(ANDROID.headerSize, true);
  return (
    view.getUint32(ANDROID.headerVersion, true) === 2 &&
    pageSize !== 0 &&
    headerSize >= ANDROID.v2 &&
    headerSize <= pageSize
  );
}

function isUki(content: Uint8Array): boolean {
  try {
    const names = readPe(content).sections.map(({ name }) => name);
    return names.includes('.linux') && names.includes('.initrd');
  } catch (error) {
    if (isBootsealError(error)) return false;
    throw error;
  }
}

function hasOtherEntries(tree: Tree): boolean {
  const entries = childrenOf(tree, 'boot/loader/entries');
  if (entries.some(([name]) => name.endsWith('.conf'))) return true;
  if (hasUki(directoryAt(tree, 'boot/EFI/Linux'))) return true;
  return childrenOf(tree, 'usr/lib/modules').some(
    ([name, node]) =>
      node.kind === 'directory' &&
      (hasUki(node) || lookup(tree, `usr/lib/modules/${name}/vmlinuz`)?.kind === 'regular'),
  );
}

/** At any depth; addons belong to no entry in particular. */
function hasUki(top: Directory | undefined): boolean {
  const folders = top === undefined ? [] : [top];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const [name, node] of next.children) {
      if (node.kind === 'directory') folders.push(node);
      else if (name.endsWith('.efi') && !name.endsWith('.addon.efi')) return true;
    }
  }
  return false;
}

function childrenOf(tree: Tree, path: string): [string, TreeNode][] {
  const directory = directoryAt(tree, path);
  return directory === undefined ? [] : sortedChildren(directory);
}

function bad(name: string, what: string): BootsealError {
  return new BootsealError('composefs/bad-boot-entry', `boot entry ${what}`, {
    where: shownPath(`boot/${name}`),
    hint: 'composefs-rs 0.9.4 refuses such an image as well; mend or remove the entry',
  });
}
