/**
 * An initramfs that shows what a boot has reached: busybox, a few kernel modules and one script.
 * Format: newc cpio, Documentation/driver-api/early-userspace/buffer-format.rst, and then gzip.
 */
import { filter } from './files.mjs';

/**
 * What the script needs: the disk, the file systems of a composefs root, and the firmware's variables.
 * The rest of the kernel's modules are in the image, not in here.
 */
const MODULES = ['virtio_blk', 'ext4', 'erofs', 'overlay', 'loop', 'efivarfs'];

/** Names under which busybox finds itself. */
const APPLETS = [
  'sh',
  'mount',
  'insmod',
  'cat',
  'uname',
  'hexdump',
  'tail',
  'poweroff',
  'setsid',
  'cttyhack',
  'ls',
];

const INIT = `#!/bin/sh
# Shows on the console what this boot has reached, for people and for tests.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t securityfs securityfs /sys/kernel/security
for module in $(cat /modules.order); do
  insmod "/modules/$module" || echo "bootseal: module $module refused"
done
mount -t efivarfs efivarfs /sys/firmware/efi/efivars

# Four bytes of attributes, then the value.
secure_boot=$(cat /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c |
  tail -c 1 | hexdump -e '1/1 "%u"')
composefs=none then=shell
for argument in $(cat /proc/cmdline); do
  case $argument in
    composefs=*) composefs=\${argument#composefs=} ;;
    bootseal.test=poweroff) then=poweroff ;;
  esac
done
echo "bootseal: kernel $(uname -r), lockdown $(cat /sys/kernel/security/lockdown)"
echo "bootseal: SecureBoot=\${secure_boot:-unknown}"
echo "bootseal: initramfs reached, composefs=$composefs"

if [ $then = poweroff ]; then poweroff -f; fi
echo 'bootseal: this sample has no installed root; here is a shell'
exec setsid cttyhack sh
`;

/**
 * @param {{ busybox: Uint8Array, modules: ReadonlyMap<string, Uint8Array>, seconds: bigint }} parts
 *   `modules`: uncompressed, by name without `.ko`
 */
export function makeInitramfs({ busybox, modules, seconds }) {
  const order = loadOrder(MODULES, modules);
  /** @type {CpioEntry[]} */
  const entries = [];
  for (const path of ['bin', 'dev', 'modules', 'proc', 'sys']) entries.push({ path, mode: 0o040755 });
  // The console must be there before /dev is mounted.
  entries.push({ path: 'dev/console', mode: 0o020600, device: [5, 1] });
  entries.push({ path: 'bin/busybox', mode: 0o100755, data: busybox });
  for (const name of APPLETS) {
    entries.push({ path: `bin/${name}`, mode: 0o120777, data: Buffer.from('busybox') });
  }
  for (const name of order) {
    entries.push({ path: `modules/${name}`, mode: 0o100644, data: modules.get(name) });
  }
  entries.push({
    path: 'modules.order',
    mode: 0o100644,
    data: Buffer.from(order.map((name) => `${name}\n`).join('')),
  });
  entries.push({ path: 'init', mode: 0o100755, data: Buffer.from(INIT) });
  return filter('gzip', ['-n', '-6'], cpioArchive(entries, Number(seconds)));
}

/**
 * The wanted modules and all they depend on, each after what it needs. Modules that are part of the kernel image
 * are not there as files and need no loading.
 * @param {readonly string[]} wanted
 * @param {ReadonlyMap<string, Uint8Array>} modules
 */
function loadOrder(wanted, modules) {
  /** @type {Set<string>} */
  const order = new Set();
  /** @param {string} name */
  const visit = (name) => {
    const content = modules.get(name);
    if (content === undefined || order.has(name)) return;
    const info = Buffer.from(content).toString('latin1');
    // Dependencies name modules with `_` or `-` as their authors liked; soft ones are a hint to load first.
    const hard = /\0depends=([^\0]*)\0/.exec(info)?.[1].split(',') ?? [];
    const soft = [...info.matchAll(/\0softdep=pre: ([^\0]*)\0/g)].flatMap(([, names]) => names.split(' '));
    for (const needed of [...soft, ...hard]) {
      for (const spelling of [needed, needed.replaceAll('_', '-'), needed.replaceAll('-', '_')])
        visit(spelling);
    }
    order.add(name);
  };
  wanted.forEach(visit);
  return [...order];
}

/** @typedef {{ path: string, mode: number, data?: Uint8Array, device?: [number, number] }} CpioEntry */

/**
 * @param {readonly CpioEntry[]} entries
 * @param {number} seconds
 */
function cpioArchive(entries, seconds) {
  /** @type {Buffer[]} */
  const parts = [];
  /** @param {Uint8Array} bytes */
  const padded = (bytes) => {
    parts.push(Buffer.from(bytes), Buffer.alloc((4 - (bytes.length % 4)) % 4));
  };
  /** @type {CpioEntry} */
  const end = { path: 'TRAILER!!!', mode: 0 };
  for (const [at, entry] of [...entries, end].entries()) {
    const { path, mode, data = Buffer.alloc(0), device = [0, 0] } = entry;
    const trailer = mode === 0;
    const fields = [
      trailer ? 0 : at + 1, // inode
      mode,
      0, // uid
      0, // gid
      1, // links
      trailer ? 0 : seconds,
      data.length,
      0, // device of the file system, major and minor
      0,
      ...device,
      path.length + 1,
      0, // checksum, unused in newc
    ];
    const numbers = fields.map((value) => value.toString(16).padStart(8, '0')).join('');
    padded(Buffer.from(`070701${numbers}${path}\0`));
    padded(data);
  }
  return Buffer.concat(parts);
}
