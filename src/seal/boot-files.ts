/**
 * What a boot image is made of, found in the tree of a bootable container image: one kernel with its initramfs,
 * kernel arguments, os-release, and systemd-boot with its stub.
 */
import { decodeUtf8, encodeLatin1 } from '../bytes/bytes.ts';
import { contentOf, lookup, sortedChildren, type Tree, type TreeNode } from '../composefs/tree.ts';
import { BootsealError } from '../errors.ts';

export const MODULES = 'usr/lib/modules';
export const KARGS = 'usr/lib/bootc/kargs.d';
export const EFI_STUBS = 'usr/lib/systemd/boot/efi';
/** Where a sealed image keeps its UKI; bootc copies it to the ESP from there. */
export const UKI_FOLDER = 'boot/EFI/Linux';
const OS_RELEASE = 'usr/lib/os-release';

/** A kernel or initramfs of more than this is no kernel; the bound keeps a hostile image from filling memory. */
const MAX_CAPTURED = 512 * 1024 * 1024;

const EFI_ARCH: Readonly<Record<string, string>> = {
  amd64: 'x64',
  arm64: 'aa64',
  '386': 'ia32',
  arm: 'arm',
  riscv64: 'riscv64',
  loong64: 'loongarch64',
};

/** Rust's names, which kargs.d files use in `match-architectures`. */
const RUST_ARCH: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  '386': 'x86',
  ppc64le: 'powerpc64',
  loong64: 'loongarch64',
};

export interface BootFile {
  /** Without leading slash, one character a byte. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface BootFiles {
  /** Name of the kernel's folder below /usr/lib/modules: the `uname -r`. */
  readonly version: string;
  readonly kernel: BootFile;
  readonly initramfs: BootFile;
  readonly osRelease: Uint8Array;
  readonly kargs: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly stub?: BootFile;
  readonly bootloader?: BootFile;
}

/** Whether a file's content is kept in memory while the layers are read. */
export function neededForSealing(path: string, size: number): boolean {
  if (size > MAX_CAPTURED) return false;
  if (path === OS_RELEASE) return true;
  const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
  if (folder === KARGS || folder === EFI_STUBS || folder === UKI_FOLDER) return true;
  if (folder === 'boot' && path.endsWith('.efi.dump')) return true;
  return /^usr\/lib\/modules\/[^/]+\/(?:vmlinuz|initramfs\.img)$/.test(path);
}

export function rustArchitecture(architecture: string): string {
  return Object.hasOwn(RUST_ARCH, architecture) ? RUST_ARCH[architecture] : architecture;
}

/** `x64`, `aa64`, …: the suffix of EFI programs for an OCI architecture. */
export function efiArchitecture(architecture: string): string {
  if (Object.hasOwn(EFI_ARCH, architecture)) return EFI_ARCH[architecture];
  throw new BootsealError('seal/unsupported-architecture', `no EFI boot images for ${architecture}`);
}

/** Throws `seal/no-kernel`, `seal/several-kernels`, `seal/already-sealed`, `seal/missing-file`. */
export function findBootFiles(tree: Tree, architecture: string): BootFiles {
  const version = findKernelVersion(tree);
  const folder = `${MODULES}/${encodeName(version)}`;
  const efi = efiArchitecture(architecture);
  const stub = optionalFile(tree, `${EFI_STUBS}/linux${efi}.efi.stub`);
  const bootloader = optionalFile(tree, `${EFI_STUBS}/systemd-boot${efi}.efi`);
  return {
    version,
    kernel: requiredFile(tree, `${folder}/vmlinuz`),
    initramfs: requiredFile(tree, `${folder}/initramfs.img`),
    osRelease: requiredFile(tree, OS_RELEASE).bytes,
    kargs: findKargs(tree),
    ...(stub && { stub }),
    ...(bootloader && { bootloader }),
  };
}

/** UKIs of a sealed image, in name order; addons are not UKIs. Anything that is no regular file is refused. */
export function findUkis(tree: Tree): BootFile[] {
  const folder = lookup(tree, UKI_FOLDER);
  if (folder === undefined) return [];
  if (folder.kind !== 'directory')
    throw new BootsealError('seal/not-regular', `/${UKI_FOLDER} is no directory`);
  return sortedChildren(folder)
    .filter(([name]) => /\.efi$/i.test(name) && !/\.addon\.efi$/i.test(name))
    .map(([name]) => requiredFile(tree, `${UKI_FOLDER}/${name}`));
}

/** Paths of kernels outside a UKI. A sealed image has none: they would boot without any check. */
export function looseKernels(tree: Tree): string[] {
  return kernelFolders(tree).flatMap((name) =>
    ['vmlinuz', 'initramfs.img']
      .map((file) => `${MODULES}/${name}/${file}`)
      .filter((path) => lookup(tree, path) !== undefined),
  );
}

function findKernelVersion(tree: Tree): string {
  const found = kernelFolders(tree).filter(
    (name) => lookup(tree, `${MODULES}/${name}/vmlinuz`) !== undefined,
  );
  if (found.length === 0) {
    if (findUkis(tree).length > 0) {
      throw new BootsealError(
        'seal/already-sealed',
        'the image holds a UKI and no kernel: it is sealed already',
        {
          hint: 'seal the image that it was made from',
        },
      );
    }
    throw new BootsealError('seal/no-kernel', `no kernel: /${MODULES}/*/vmlinuz does not exist`, {
      hint: 'a bootable image has its kernel there; install one, or start from a bootc base image',
    });
  }
  if (found.length > 1) {
    throw new BootsealError('seal/several-kernels', `more than one kernel: ${found.join(', ')}`, {
      hint: 'remove all but one: bootc boots exactly one',
    });
  }
  const version = decodeUtf8(encodeLatin1(found[0]));
  if (version === undefined)
    throw new BootsealError('seal/no-kernel', 'the kernel folder has a name that is not UTF-8');
  return version;
}

function kernelFolders(tree: Tree): string[] {
  const modules = lookup(tree, MODULES);
  if (modules?.kind !== 'directory') return [];
  return sortedChildren(modules)
    .filter(([, node]) => node.kind === 'directory')
    .map(([name]) => name);
}

function findKargs(tree: Tree): { name: string; bytes: Uint8Array }[] {
  const folder = lookup(tree, KARGS);
  if (folder === undefined) return [];
  if (folder.kind !== 'directory') throw new BootsealError('seal/not-regular', `/${KARGS} is no directory`);
  return sortedChildren(folder)
    .filter(([name]) => name.endsWith('.toml'))
    .map(([name]) => ({ name, bytes: requiredFile(tree, `${KARGS}/${name}`).bytes }));
}

function requiredFile(tree: Tree, path: string): BootFile {
  const file = optionalFile(tree, path);
  if (file === undefined) throw new BootsealError('seal/missing-file', `/${path} does not exist`);
  return file;
}

function optionalFile(tree: Tree, path: string): BootFile | undefined {
  const node = lookup(tree, path);
  if (node === undefined) return undefined;
  const bytes = contentOf(node);
  if (bytes === undefined) throw new BootsealError('seal/not-regular', `/${path} ${whyNot(node)}`);
  return { path, bytes };
}

function whyNot(node: TreeNode): string {
  return node.kind === 'regular'
    ? `is larger than ${MAX_CAPTURED} bytes`
    : `is no regular file but a ${node.kind}`;
}

function encodeName(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
