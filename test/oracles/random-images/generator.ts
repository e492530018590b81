/**
 * Random images of several layers: replaced, removed and linked files, odd names, times, owners and attributes, boot
 * entries, and SELinux policies. Mostly such as the real tool takes.
 */
import { gzipSync } from 'node:zlib';
import { concatBytes, encodeLatin1, encodeUtf8 } from '../../../src/bytes/bytes.ts';
import { MEDIA_TYPES } from '../../../src/formats/oci/media-types.ts';
import type { TarEntryType } from '../../../src/formats/tar/format.ts';
import { encodePaxRecord } from '../../../src/formats/tar/writer.ts';
import { archive, entry, type EntryOptions } from '../../support/layers.ts';
import { tarPadding } from '../../../src/formats/tar/writer.ts';
import { randomSpecs } from './patterns.ts';
import { createRandom, type Random } from './random.ts';

export interface RandomLayer {
  readonly mediaType: string;
  readonly plain: Uint8Array;
  readonly blob: Uint8Array;
}

const SIZES = [0, 1, 40, 63, 64, 65, 100, 4095, 4096, 4097, 9000];
const NAMES = [
  'a',
  'b',
  'bin',
  'lib',
  'lib64',
  'conf',
  'x.so.1',
  'a.b',
  'é',
  'ab',
  '!',
  '+',
  '-x',
  'A',
  '~',
  'data',
];
const POLICY = 'etc/selinux/targeted/contexts/files';

export function randomImage(seed: number): RandomLayer[] {
  const random = createRandom(seed);
  const world = createWorld(random);
  const layers: Uint8Array[] = [];
  const count = 1 + random.below(5);
  const bad = random.chance(8);
  for (let at = 0; at < count; at++) {
    if (at === 0) world.skeleton();
    const changes = 10 + random.below(50);
    for (let change = 0; change < changes; change++) world.change(bad && random.chance(2));
    if (at === count - 1 || random.chance(20)) world.extras(bad);
    layers.push(archive(...world.take()));
  }
  return layers.map((plain) => {
    if (random.chance(25)) return { mediaType: MEDIA_TYPES.ociLayer, plain, blob: plain };
    return { mediaType: MEDIA_TYPES.ociLayerGzip, plain, blob: gzipSync(plain, { level: 1 }) };
  });
}

interface World {
  skeleton(): void;
  change(bad: boolean): void;
  extras(bad: boolean): void;
  /** Entries since the last time. */
  take(): Uint8Array[];
}

function createWorld(random: Random): World {
  /** What is there: true for directories. Paths a byte a character. */
  const nodes = new Map<string, boolean>();
  let entries: Uint8Array[] = [];

  const directories = (): string[] =>
    [...nodes].filter(([, isDirectory]) => isDirectory).map(([path]) => path);
  const leaves = (): string[] => [...nodes].filter(([, isDirectory]) => !isDirectory).map(([path]) => path);

  function put(path: string, type: TarEntryType, options: EntryOptions = {}, content?: Uint8Array): void {
    const size = content?.length ?? 0;
    const all = { ...metadata(random), ...options, ...(type === 'file' && { size }) };
    entries.push(oddTime(random), entry(path, type, all));
    if (content !== undefined) entries.push(content, tarPadding(size));
    if (type !== 'directory') remove(path);
    nodes.set(path, type === 'directory');
  }

  function remove(path: string): void {
    nodes.delete(path);
    for (const other of nodes.keys()) if (other.startsWith(`${path}/`)) nodes.delete(other);
  }

  function makeDirectories(path: string): void {
    const parts = path.split('/');
    for (let length = 1; length <= parts.length; length++) {
      const parent = parts.slice(0, length).join('/');
      if (nodes.get(parent) !== true) put(parent, 'directory');
    }
  }

  function file(path: string, content: Uint8Array | string): void {
    makeDirectories(path.slice(0, path.lastIndexOf('/')));
    if (nodes.get(path) === true) return;
    put(path, 'file', {}, typeof content === 'string' ? encodeUtf8(content) : content);
  }

  function skeleton(): void {
    for (const path of ['usr', 'boot', 'sysroot', 'etc', 'var', 'usr/lib', 'usr/bin']) put(path, 'directory');
    if (random.chance(50)) put('run', 'directory');
  }

  function change(bad: boolean): void {
    const parent = random.pick(directories());
    const name = randomName(random);
    const path = `${parent}/${name}`;
    const existing = nodes.get(path);
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2:
        return put(path, 'directory');
      case 3:
        return put(path, 'symlink', { linkTarget: random.pick(['a', '../b', '/usr', 'x'.repeat(150), 'é']) });
      case 4:
      case 5: {
        const target = random.pick(
          bad ? [...nodes.keys(), 'usr/none'] : leaves().length > 0 ? leaves() : [''],
        );
        if (target === '' || target === path || target.startsWith(`${path}/`)) return;
        entries.push(entry(path, 'hardlink', { ...metadata(random), linkTarget: target }));
        remove(path);
        nodes.set(path, false);
        return;
      }
      case 6:
        return put(path, 'fifo');
      case 7:
        return put(path, random.chance(50) ? 'character' : 'block', { device: randomDevice(random) });
      case 8: {
        const victim = random.pick([...nodes.keys()]);
        if (!victim.includes('/') || victim === 'usr/lib') return;
        const cut = victim.lastIndexOf('/');
        remove(victim);
        entries.push(entry(`${victim.slice(0, cut)}/.wh.${victim.slice(cut + 1)}`, 'file'));
        return;
      }
      case 9:
        if (random.chance(70) || !parent.includes('/')) return;
        entries.push(entry(`${parent}/.wh..wh..opq`, 'file'));
        for (const other of nodes.keys()) if (other.startsWith(`${parent}/`)) nodes.delete(other);
        return;
      case 10:
        // A new stat for a directory that is there.
        return put(parent, 'directory');
      default: {
        if (existing === true && !random.chance(20)) return;
        const size = random.chance(3) ? 300_000 : random.pick(SIZES);
        return put(path, 'file', {}, random.chance(30) ? new Uint8Array(size) : random.bytes(size));
      }
    }
  }

  function extras(bad: boolean): void {
    if (random.chance(70)) policy(bad);
    if (random.chance(30)) {
      file('usr/lib/modules/6.1/vmlinuz', 'kernel');
      file(
        'boot/loader/entries/one.conf',
        `title One\nlinux ${bad ? '/none' : '/usr/lib/modules/6.1/vmlinuz'}\n`,
      );
    }
    if (random.chance(15)) file('boot/EFI/Linux/two.efi', random.bytes(200));
    if (random.chance(6)) file('boot/aboot-6.1.img', androidImage(random));
    if (bad && random.chance(20)) put('usr/lib/modules', 'symlink', { linkTarget: '/' });
  }

  function policy(bad: boolean): void {
    const paths = [...nodes.keys()].flatMap((path) => {
      const text = Buffer.from(path, 'latin1').toString('utf8');
      return text.includes('\ufffd') ? [] : [`/${text}`];
    });
    file(
      'etc/selinux/config',
      random.pick(['SELINUXTYPE=targeted\n', '# x=\n selinuxtype = targeted \n', 'A=1\n']),
    );
    const specs = (count: number): string => randomSpecs(random, paths, count, { bad });
    if (random.chance(12)) {
      // The policy as a hardlink to a file under another name.
      file('usr/lib/policy', `${specs(60)}${'# '.repeat(40)}\n`);
      makeDirectories(POLICY);
      remove(`${POLICY}/file_contexts`);
      entries.push(entry(`${POLICY}/file_contexts`, 'hardlink', { linkTarget: 'usr/lib/policy' }));
      nodes.set(`${POLICY}/file_contexts`, false);
    } else {
      file(`${POLICY}/file_contexts`, specs(10 + random.below(80)));
    }
    if (random.chance(40)) file(`${POLICY}/file_contexts.local`, specs(5));
    if (random.chance(30)) file(`${POLICY}/file_contexts.homedirs`, specs(5));
    for (const name of ['subs', 'subs_dist']) {
      if (random.chance(60)) continue;
      const plain = paths.filter((path) => !/\s/.test(path));
      const line = (): string =>
        `${random.pick(plain)} ${random.pick(plain)}${random.pick(['', '', '', '/', '//', '/.', '/./'])}`;
      file(`${POLICY}/file_contexts.${name}`, `${[line(), line(), line()].join('\n')}\n`);
    }
  }

  function take(): Uint8Array[] {
    const taken = entries;
    entries = [];
    return taken;
  }

  return { skeleton, change, extras, take };
}

function randomName(random: Random): string {
  if (random.chance(60)) return Buffer.from(random.pick(NAMES), 'utf8').toString('latin1');
  if (random.chance(5)) return random.pick(['\xff\xfe', 'x\n', 'a b', 'l'.repeat(200), 'tab\tbed', '\x7f']);
  return `${random.pick(NAMES.slice(0, 5))}${random.below(30)}`;
}

function randomDevice(random: Random): { major: number; minor: number } {
  // 0:0 is a whiteout of overlayfs.
  if (random.chance(15)) return { major: 0, minor: 0 };
  return { major: random.below(4096), minor: random.pick([0, 1, 255, 256, 65_535, 1_048_575]) };
}

function metadata(random: Random): EntryOptions {
  const xattrs = new Map<string, Uint8Array>();
  if (random.chance(15)) xattrs.set('user.x', random.bytes(random.below(40)));
  if (random.chance(10)) xattrs.set('security.capability', encodeLatin1('\x01\0\0\x02\0\x20\0\0'));
  if (random.chance(10)) xattrs.set('security.selinux', encodeLatin1('system_u:object_r:container_t:s0\0'));
  if (random.chance(5)) xattrs.set('trusted.overlay.opaque', encodeLatin1('y'));
  if (random.chance(5)) xattrs.set(`user.${'n'.repeat(random.below(200))}`, random.bytes(300));
  return {
    mode: random.chance(80) ? random.pick([0o644, 0o755, 0o600, 0o4755]) : random.below(0o10000),
    uid: random.pick([0, 0, 0, 1000, 65_535, 65_536, 4_294_967_294]),
    gid: random.pick([0, 0, 5, 65_536, 2_097_152]),
    mtime: {
      seconds: BigInt(
        random.pick([0, 1_700_000_000, 1_700_000_001, 4_294_967_295, 4_294_967_296, 8_589_934_592]),
      ),
      nanos: random.chance(40) ? random.below(1_000_000_000) : 0,
    },
    ...(xattrs.size > 0 && { xattrs }),
  };
}

/** Sometimes a global header, which is ignored. */
function oddTime(random: Random): Uint8Array {
  if (!random.chance(3)) return new Uint8Array(0);
  const body = encodePaxRecord('mtime', encodeLatin1('5.25'));
  const header = Buffer.from(entry('global', 'file', { size: body.length }));
  header.write('g', 156, 'latin1');
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return concatBytes([header, body, tarPadding(body.length)]);
}

/** Of version 2, as boot loaders of Android take it. */
function androidImage(random: Random): Uint8Array {
  const image = Buffer.alloc(2048 + random.below(100));
  image.write('ANDROID!', 'latin1');
  image.writeUInt32LE(2048, 36);
  image.writeUInt32LE(random.chance(80) ? 2 : 3, 40);
  image.writeUInt32LE(1660, 1644);
  return image;
}
