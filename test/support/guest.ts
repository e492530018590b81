/**
 * A virtual machine without firmware for tests of the kernel: a kernel, busybox, a script, and programs of the tree of
 * peers with their libraries. Emulated, as in vm.ts.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { peerOk } from './peers.ts';

export interface GuestOptions {
  readonly kernel: Uint8Array;
  /** Brings busybox in `/bin` and the modules that `/modules.order` lists. */
  readonly initramfs: Uint8Array;
  /** Shell script. It starts with proc, sys and dev mounted and the modules loaded, and may use `peer NAME ARGS…`. */
  readonly script: string;
  /** Files of the guest: absolute path → content. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>;
  /** Programs of the tree of peers. */
  readonly peers?: readonly string[];
  /** Raw disk images, as /dev/vda, /dev/vdb, … What the guest writes is lost. */
  readonly disks?: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
}

/** What the script prints; throws when it did not end. */
export async function runGuest(options: GuestOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bootseal-guest-'));
  try {
    const kernel = join(folder, 'vmlinuz');
    const initrd = join(folder, 'initrd');
    const serial = join(folder, 'serial');
    await writeFile(kernel, options.kernel);
    // The kernel unpacks one archive after the other: ours replaces the init of the first.
    await writeFile(initrd, Buffer.concat([options.initramfs, gzipSync(overlay(options), { level: 1 })]));
    await writeFile(serial, '');
    return await watch(kernel, initrd, serial, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const END = 'guest: end of script';

const PRELUDE = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /mnt
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules.order); do insmod "/modules/$module"; done
peer() { program=$1; shift; /peers/ld.so --library-path /peers/lib "/peers/bin/$program" "$@"; }
exec >/dev/ttyS0 2>&1
echo 4 >/proc/sys/kernel/printk
`;

async function watch(kernel: string, initrd: string, serial: string, options: GuestOptions): Promise<string> {
  const disks = (options.disks ?? []).flatMap((file, index) => [
    '-drive',
    `if=none,id=disk${index},format=raw,snapshot=on,file=${file}`,
    '-device',
    `virtio-blk-pci,drive=disk${index}`,
  ]);
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ['-machine', 'q35,accel=tcg', '-cpu', 'qemu64,-cx16', '-m', '1024', '-nodefaults', '-no-reboot'],
      ['-display', 'none', '-serial', `file:${serial}`, '-kernel', kernel, '-initrd', initrd],
      ['-append', 'console=ttyS0 quiet panic=-1', ...disks],
    ].flat(),
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  machine.once('error', () => {
    throw new Error('the virtual machine needs a Debian package: sudo apt-get install -y qemu-system-x86');
  });
  const exited = new Promise((resolve) => machine.once('close', resolve));
  const stop = (): boolean => machine.kill('SIGKILL');
  process.once('exit', stop);
  try {
    const deadline = Date.now() + options.timeout;
    for (;;) {
      const running = machine.exitCode === null && machine.signalCode === null;
      const text = (await readFile(serial, 'latin1')).replaceAll('\r', '');
      if (text.includes(END)) return text.slice(0, text.indexOf(END));
      if (!running || Date.now() > deadline) throw new Error(`the guest's script did not end:\n${text}`);
      await sleep(200);
    }
  } finally {
    stop();
    process.removeListener('exit', stop);
    await exited;
  }
}

function overlay({ script, files = {}, peers = [] }: GuestOptions): Uint8Array {
  const contents = new Map<string, Uint8Array | string>(Object.entries(files));
  contents.set('/init', `${PRELUDE}${script}\necho '${END}'\npoweroff -f\n`);
  for (const [path, content] of peerFiles(peers)) contents.set(path, content);
  return cpio(
    [...contents].map(([path, content]) => ({ path: path.slice(1), content: Buffer.from(content) })),
  );
}

/** The programs, the libraries that ldd names, and the loader. */
function peerFiles(names: readonly string[]): [path: string, content: Uint8Array][] {
  if (names.length === 0) return [];
  const programs = names.map((name) => `/usr/bin/${name}`);
  const list = peerOk('ldd', programs).stdout;
  const libraries = [...list.matchAll(/=> (\/[^ ]+) /g)].map(([, path]) => path);
  const loader = /^\s*(\/lib64\/[^ ]+) /m.exec(list)?.[1] ?? '/lib64/ld-linux-x86-64.so.2';
  // A file of the tree is read through its own `cat`: links in it are relative to its root.
  const read = (path: string): Uint8Array => peerOk('cat', [path]).bytes;
  return [
    ['/peers/ld.so', read(loader)],
    ...programs.map((path): [string, Uint8Array] => [`/peers/bin/${basename(path)}`, read(path)]),
    ...[...new Set(libraries)].map((path): [string, Uint8Array] => [
      `/peers/lib/${basename(path)}`,
      read(path),
    ]),
  ];
}

/** An archive as the kernel unpacks it: newc, of files and the folders above them. */
function cpio(files: readonly { readonly path: string; readonly content: Uint8Array }[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const folders = new Set<string>();
  let inode = 100_000;
  const add = (path: string, mode: number, content: Uint8Array): void => {
    const fields = [inode++, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, path.length + 1, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${path}\0`;
    parts.push(padded(Buffer.from(header)), padded(content));
  };
  for (const { path, content } of files) {
    const names = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= names.length; depth++) {
      const folder = names.slice(0, depth).join('/');
      if (!folders.has(folder)) add(folder, 0o040755, new Uint8Array());
      folders.add(folder);
    }
    add(path, 0o100755, content);
  }
  add('TRAILER!!!', 0, new Uint8Array());
  return Buffer.concat(parts);
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array((4 - (bytes.length % 4)) % 4)]);
}

/** A disk with a file system that has fs-verity, holding a copy of a folder. Made without root. */
export function makeVerityDisk(file: string, folder: string, megabytes: number): void {
  const { status, stderr, error } = spawnSync(
    'mke2fs',
    // Blocks of 4096: with smaller ones, which mke2fs picks for small disks, fs-verity cannot be enabled.
    ['-q', '-t', 'ext4', '-b', '4096', '-O', 'verity', '-d', folder, file, `${megabytes}M`],
    { encoding: 'utf8', env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } },
  );
  if (error !== undefined)
    throw new Error('mke2fs is missing: sudo apt-get install -y e2fsprogs', { cause: error });
  if (status !== 0) throw new Error(`mke2fs: ${stderr}`);
}

/** Offset on the disk, in bytes, of the first block of a file in it. */
export function blockOffset(disk: string, path: string): number {
  const { stdout, stderr } = spawnSync('debugfs', ['-R', `bmap ${path} 0`, disk], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
  });
  const block = Number(stdout.trim());
  if (!Number.isInteger(block) || block === 0) throw new Error(`debugfs bmap ${path}: ${stdout}${stderr}`);
  return block * 4096;
}
