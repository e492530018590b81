/** What the sample image holds, layer by layer. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { directory, file, filter, link, ordered, packageFiles, tarArchive } from './files.mjs';
import { makeInitramfs } from './initramfs.mjs';
import { downloadPackages, kernelPackage } from './packages.mjs';

/** @typedef {import('./files.mjs').File} File */
/** @typedef {{ comment: string, tar: Uint8Array, compressed: boolean }} Layer */
/** @typedef {{ created: string, labels: Record<string, string>, layers: Layer[] }} Sample */

/** Documentation and packaging helpers that a running system never reads. */
const LEFT_OUT = /^usr\/share\/(doc|man|lintian|initramfs-tools|bug)(\/|$)/;

/** @typedef {{ base: File[], busybox: File[], boot: File[], kernel: File[], kernelName: string }} Parts */

/** @returns {Promise<Parts>} */
export async function debianParts() {
  const kernelName = kernelPackage();
  const names = ['base-files', 'busybox-static', 'systemd-boot-efi', kernelName];
  const [base, busybox, boot, kernel] = await Promise.all(downloadPackages(names).map(packageFiles));
  return { base, busybox, boot, kernel, kernelName };
}

/**
 * @param {Parts} parts
 * @returns {Sample}
 */
export function buildSample({ base, busybox, boot, kernel, kernelName }) {
  // Whatever the packages do not date gets the time of their newest file.
  const seconds = [base, busybox, boot, kernel]
    .flat()
    .map((entry) => entry.mtime.seconds)
    .reduce((newest, time) => (time > newest ? time : newest));

  const layers = [
    { comment: 'base: base-files, busybox-static', files: baseLayer(base, busybox, seconds) },
    {
      comment: `kernel: ${kernelName}`,
      files: kernelLayer(kernel, content(busybox, 'usr/bin/busybox'), seconds),
    },
    { comment: 'boot: systemd-boot-efi, kernel arguments', files: bootLayer(boot, seconds) },
    { comment: 'site: local changes', files: siteLayer(seconds) },
  ];
  /** @type {Set<string>} */
  const below = new Set();
  return {
    created: new Date(Number(seconds) * 1000).toISOString(),
    labels: {
      'containers.bootc': '1',
      'ostree.bootable': 'true',
      'org.opencontainers.image.title': 'bootseal sample',
      'org.opencontainers.image.version': kernelName.replace('linux-image-', ''),
    },
    layers: layers.map(({ comment, files }, at) => {
      const inOrder = ordered(files, seconds, below);
      for (const entry of inOrder) if (entry.type === 'directory') below.add(entry.path);
      // The smallest layer stays plain, so that both media types occur.
      return { comment, tar: tarArchive(inOrder), compressed: at !== 2 };
    }),
  };
}

/**
 * @param {readonly File[]} base
 * @param {readonly File[]} busybox
 * @param {bigint} seconds
 */
function baseLayer(base, busybox, seconds) {
  const kept = [...base, ...busybox].filter(
    ({ path }) => !LEFT_OUT.test(path) && !/^var\/(run|lock)$/.test(path),
  );
  const root = ['bin', 'sbin', 'lib'].map((name) => link('symlink', name, seconds, `usr/${name}`));
  // An installation of busybox: every command is one more name of the same file.
  const commands = ['sh', 'ls', 'cat', 'mount', 'login', 'ping', 'wget', 'vi', 'tar', 'sha512sum'].map(
    (name) => link('hardlink', `usr/bin/${name}`, seconds, 'usr/bin/busybox'),
  );
  return [
    ...kept,
    ...root,
    ...['opt', 'srv', 'mnt', 'media', 'usr/libexec'].map((path) => directory(path, seconds)),
    ...commands,
    link('hardlink', 'usr/sbin/init', seconds, 'usr/bin/busybox'),
    link('symlink', 'var/run', seconds, '../run'),
    link('symlink', 'var/lock', seconds, '../run/lock'),
    file('etc/inittab', seconds, '::sysinit:/bin/mount -a\nttyS0::respawn:/bin/login\n'),
    file('etc/passwd', seconds, 'root:x:0:0:root:/root:/bin/sh\n'),
    file('etc/group', seconds, 'root:x:0:\n'),
  ];
}

/**
 * The kernel where bootc looks for it, with the indexes that depmod makes at installation.
 * @param {readonly File[]} kernel
 * @param {Uint8Array} busybox
 * @param {bigint} seconds
 */
function kernelLayer(kernel, busybox, seconds) {
  const image = kernel.find(({ path }) => path.startsWith('boot/vmlinuz-'));
  if (!image?.data) throw new Error('the kernel package holds no vmlinuz');
  const version = image.path.slice('boot/vmlinuz-'.length);
  const home = `usr/lib/modules/${version}`;
  const modules = kernel.filter(({ path }) => path === home || path.startsWith(`${home}/`));
  /** @type {Map<string, Uint8Array>} */
  const plain = new Map();
  for (const { path, data } of modules) {
    const name = /([^/]+)\.ko(\.xz)?$/.exec(path);
    // Only what the initramfs may load: the tree of drivers/net and sound is of no use there.
    if (!data || !name || !/\/kernel\/(drivers\/(block|virtio)|fs|lib|crypto|arch)\//.test(path)) continue;
    plain.set(name[1], name[2] ? filter('xz', ['-dc'], data) : data);
  }
  const initramfs = makeInitramfs({ busybox, modules: plain, seconds });
  return [
    ...modules,
    ...moduleIndexes(modules, version).map(([name, data]) => file(`${home}/${name}`, seconds, data)),
    file(`${home}/config`, image.mtime.seconds, content(kernel, `boot/config-${version}`)),
    file(`${home}/vmlinuz`, image.mtime.seconds, image.data),
    file(`${home}/initramfs.img`, seconds, initramfs, 0o600),
  ];
}

/**
 * @param {readonly File[]} modules
 * @param {string} version
 * @returns {[name: string, data: Uint8Array][]}
 */
function moduleIndexes(modules, version) {
  if (modules.length === 0) return [];
  const root = mkdtempSync(join(tmpdir(), 'bootseal-modules-'));
  try {
    const home = join(root, 'lib', 'modules', version);
    for (const { path, data } of modules) {
      const target = join(root, path.replace(/^usr\//, ''));
      mkdirSync(data ? dirname(target) : target, { recursive: true });
      if (data) writeFileSync(target, data);
    }
    const before = new Set(readdirSync(home));
    const search = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
    const done = spawnSync('depmod', ['-b', root, version], {
      env: { ...process.env, PATH: search },
      encoding: 'utf8',
    });
    if (done.error) throw new Error('depmod is missing: sudo apt-get install -y kmod', { cause: done.error });
    if (done.status !== 0) throw new Error(`depmod: ${done.stderr}`);
    return readdirSync(home)
      .filter((name) => !before.has(name))
      .sort()
      .map((name) => [basename(name), readFileSync(join(home, name))]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/**
 * @param {readonly File[]} boot
 * @param {bigint} seconds
 */
function bootLayer(boot, seconds) {
  const kargs = 'usr/lib/bootc/kargs.d';
  return [
    ...boot.filter(({ path }) => !LEFT_OUT.test(path) && !path.endsWith('.elf.stub')),
    directory('boot', seconds),
    directory('sysroot', seconds),
    file(`${kargs}/10-console.toml`, seconds, 'kargs = ["console=tty0", "console=ttyS0,115200n8"]\n'),
    file(
      `${kargs}/20-quiet.toml`,
      seconds,
      '# Messages of the boot belong on the console of a sample.\nkargs = ["rw", "loglevel=4"]\n' +
        'match-architectures = ["x86_64"]\n',
    ),
    file(`${kargs}/30-arm.toml`, seconds, 'kargs = ["console=ttyAMA0"]\nmatch-architectures = ["aarch64"]\n'),
  ];
}

/**
 * What a user's own last layer does to lower ones, and file sizes at which a digest changes its shape: 64 bytes
 * are stored inside the metadata, one more is not; 4096 is one fs-verity block.
 * @param {bigint} seconds
 */
function siteLayer(seconds) {
  /** @type {File[]} */
  const sizes = [0, 64, 65, 4096, 4097].map((size) =>
    file(`usr/share/sample/size-${size}`, seconds, Buffer.alloc(size, 'bootseal sample\n')),
  );
  return [
    ...sizes,
    link('hardlink', 'usr/share/sample/also-size-4097', seconds, 'usr/share/sample/size-4097'),
    link('hardlink', 'usr/bin/less', seconds, 'usr/bin/busybox'),
    link('symlink', 'usr/share/sample/latest', seconds, 'size-4097'),
    {
      ...file('usr/libexec/net-raw', seconds, '#!/bin/sh\nexec ping "$@"\n', 0o755),
      xattrs: new Map([['security.capability', NET_RAW]]),
    },
    // Removed from the base layer: one file, and all of a directory's content.
    file('etc/.wh.issue.net', seconds, ''),
    directory('etc/update-motd.d', seconds),
    file('etc/update-motd.d/.wh..wh..opq', seconds, ''),
    file('etc/update-motd.d/50-sample', seconds, '#!/bin/sh\necho sealed by bootseal\n', 0o755),
    file('etc/hostname', seconds, 'sample\n'),
  ];
}

/** struct vfs_cap_data, revision 2, effective: CAP_NET_RAW (13) permitted. */
const NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/**
 * @param {readonly File[]} files
 * @param {string} path
 */
function content(files, path) {
  const found = files.find((entry) => entry.path === path);
  if (!found?.data) throw new Error(`no ${path} in the packages`);
  return found.data;
}
