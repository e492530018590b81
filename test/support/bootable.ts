/** A bootable image of a few small files, in memory until it is written: for tests of sealing. */
import { makeLayer, type LayerFile } from '../../src/seal/layer.ts';
import { concatBytes } from '../../src/bytes/bytes.ts';
import { makeImage, type TestImage } from './test-image.ts';
import { vectorFile } from './uki-vectors.ts';

export const KERNEL_VERSION = '6.12.0-test';
const MODULES = `usr/lib/modules/${KERNEL_VERSION}`;
const TIME = { seconds: 1_700_000_000n, nanos: 0 };

/** Path → content; `null` is a folder, `{ link }` a symbolic link. Folders above are made as needed. */
export type Files = Readonly<Record<string, Uint8Array | string | null | { readonly link: string }>>;

export const BOOTABLE: Files = {
  boot: null,
  run: null,
  sysroot: null,
  [`${MODULES}/vmlinuz`]: vectorFile('k-x64.efi'),
  [`${MODULES}/initramfs.img`]: 'initramfs',
  'usr/lib/os-release': 'ID=test\n',
  'usr/lib/bootc/kargs.d/10-console.toml': 'kargs = ["console=ttyS0"]\n',
  'usr/lib/bootc/kargs.d/20-arm.toml': 'kargs = ["arm"]\nmatch-architectures = ["aarch64"]\n',
  'usr/lib/systemd/boot/efi/linuxx64.efi.stub': vectorFile('stub-x64.efi'),
  'usr/lib/systemd/boot/efi/systemd-bootx64.efi': vectorFile('s-plain.efi'),
  'usr/bin/tool': 'a tool that is longer than what is kept inline, so that it has a digest of its own\n',
};

/** The image as one layer. `changes` are put over {@link BOOTABLE}; `undefined` takes a file out. */
export function bootableImage(
  changes: Readonly<Record<string, Files[string] | undefined>> = {},
  architecture = 'amd64',
): TestImage {
  return makeImage([tarOf({ ...BOOTABLE, ...changes })], architecture);
}

export function tarOf(files: Readonly<Record<string, Files[string] | undefined>>): Uint8Array {
  const present = Object.entries(files).filter(
    (file): file is [string, Files[string]] => file[1] !== undefined,
  );
  const folders = new Set<string>();
  for (const [path] of present) {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at));
  }
  const all = new Map<string, Files[string]>([...folders].map((path) => [path, null]));
  for (const [path, content] of present) all.set(path, content);
  const entries = [...all]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, content]) => entryOf(path, content));
  return concatBytes(makeLayer(entries, 'test').tar);
}

function entryOf(path: string, content: Files[string]): LayerFile {
  const common = { path, uid: 0, gid: 0, mtime: TIME };
  if (content === null) return { entry: { ...common, type: 'directory', mode: 0o755 } };
  if (typeof content === 'object' && 'link' in content) {
    return { entry: { ...common, type: 'symlink', mode: 0o777, linkTarget: content.link } };
  }
  return {
    entry: { ...common, type: 'file', mode: 0o644 },
    content: [Uint8Array.from(Buffer.from(content))],
  };
}
