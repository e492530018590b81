/** Random file trees as dump texts, of everything that a tree can hold. The same seed gives the same text. */
import { makeRandom, type Random } from './random.ts';

export interface RandomDumpOptions {
  /** Also what only C takes: times before 1970, long inline contents and targets, links before their files. */
  readonly onlyC?: boolean;
  readonly whiteouts?: boolean;
}

interface Line {
  readonly path: string;
  readonly text: string;
  readonly directory: boolean;
}

const LABELS = ['usr_t', 'bin_t', 'lib_t', 'etc_t', 'shadow_t'].map(
  (type) => `system_u:object_r:${type}:s0\\x00`,
);
const NAMES = [
  'security.selinux',
  'security.capability',
  'security.ima',
  'user.a',
  'user.mime_type',
  'trusted.x',
];
const RARE_NAMES = [
  'trusted.overlay.redirect',
  'trusted.overlay.opaque',
  'trusted.overlay.overlay.whiteout',
  'user.overlay.impure',
  'lustre.lov',
  'odd\\x3dname',
  'system.posix_acl_access',
  'system.posix_acl_default',
  'trusted.overlay',
  'user.\\xff\\xfe',
];
const ODD_NAMES = [
  '!',
  '+x',
  '-',
  '--',
  '.a',
  '.-',
  '...',
  '0a',
  'ff',
  'a\\x20b',
  'n\\nl',
  't\\tb',
  '\\xc3\\xa9',
  '\\x80\\xff',
  'back\\\\slash',
  '=',
  '@',
  '~',
];

export function randomDump(seed: number, options: RandomDumpOptions = {}): string {
  const random = makeRandom(seed);
  const { int, chance, pick } = random;
  const directories: string[] = ['/'];
  const taken = new Set<string>();
  const files: string[] = [];
  const links = new Map<string, number>();
  const lines: Line[] = [];
  const times = [0, 1_600_000_000, 1_700_000_000 + int(100)];

  const time = (): string => {
    const seconds = chance(0.7) ? pick(times) : int(2 ** 31);
    const sign = options.onlyC === true && chance(0.05) ? '-' : '';
    return `${sign}${chance(0.02) ? 2 ** 40 + seconds : seconds}.${chance(0.5) ? 0 : int(1_000_000_000)}`;
  };
  const owner = (): string => {
    const id = (): number =>
      chance(0.8) ? 0 : chance(0.8) ? int(1000) : pick([65_535, 65_536, 4_294_967_295]);
    return `${id()} ${id()}`;
  };
  const permissions = (): number => (chance(0.7) ? pick([0o644, 0o755, 0o600]) : int(0o10000));

  /** A path that is not there yet, in a directory that is. */
  const freePath = (): string => {
    for (;;) {
      const parent = pick(directories);
      const name = chance(0.1)
        ? pick(ODD_NAMES)
        : chance(0.02)
          ? randomName(random, 200 + int(56))
          : randomName(random, 1 + int(20));
      const path = parent === '/' ? `/${name}` : `${parent}/${name}`;
      if (taken.has(path) || path.length > 3000) continue;
      taken.add(path);
      return path;
    }
  };

  // 1. The root, and then names in any directory so far.
  lines.push({
    path: '/',
    text: `4096 4${permissions().toString(8).padStart(4, '0')} 2 ${owner()} 0 ${time()} - - -${xattrs(random)}`,
    directory: true,
  });
  const count = chance(0.1) ? 300 + int(700) : 1 + int(60);
  const crowded = chance(0.5);
  for (let made = 0; made < count; made++) {
    const path = freePath();
    const kind = int(100);
    const mode = (type: number): string => (type | permissions()).toString(8);
    let text: string;
    let directory = false;
    if (kind < (crowded ? 5 : 20)) {
      directory = true;
      if (path.split('/').length < 40) directories.push(path);
      text = `${int(2) * 4096} ${mode(0o40000)} ${2 + int(3)} ${owner()} 0 ${time()} - - -`;
    } else if (kind < 45) {
      const digest = chance(0.2) ? 'ab'.repeat(32) : randomHex(random, 64);
      const size = chance(0.9)
        ? 65 + int(100_000)
        : pick([4096, 4097, 2 ** 32 - 1, 2 ** 32, 2 ** 43, 2 ** 43 + 1, 2 ** 50]);
      text = `${size} ${mode(0o100000)} LINKS ${owner()} 0 ${time()} ${digest.slice(0, 2)}/${digest.slice(2)} - ${digest}`;
    } else if (kind < 65) {
      const [content, size] = inlineContent(random, options.onlyC === true);
      text = `${size} ${mode(0o100000)} LINKS ${owner()} 0 ${time()} - ${content} -`;
    } else if (kind < 75) {
      const longest = options.onlyC === true && chance(0.2) ? 4095 : chance(0.1) ? 1024 : 60;
      const target = `t${'x'.repeat(int(longest))}`;
      text = `${target.length} ${mode(0o120000)} LINKS ${owner()} 0 ${time()} ${target} - -`;
    } else if (kind < 79) {
      text = `0 ${mode(pick([0o10000, 0o140000]))} LINKS ${owner()} 0 ${time()} - - -`;
    } else if (kind < 83) {
      text = `0 ${mode(pick([0o20000, 0o60000]))} LINKS ${owner()} ${1 + int(2 ** 32 - 1)} ${time()} - - -`;
    } else if (kind < 86 && options.whiteouts === true) {
      // Never a hardlink's target: composefs-rs refuses that.
      lines.push({
        path,
        text: `0 ${mode(0o20000)} 1 ${owner()} 0 ${time()} - - -${xattrs(random, false)}`,
        directory,
      });
      continue;
    } else if (kind < 90) {
      text = chance(0.5)
        ? `${65 + int(10_000)} ${mode(0o100000)} LINKS ${owner()} 0 ${time()} - - -`
        : `${65 + int(10_000)} ${mode(0o100000)} LINKS ${owner()} 0 ${time()} ${options.onlyC === true ? `some/object-${int(5)}` : `a${int(5)}/${'0'.repeat(62)}`} - -`;
    } else {
      if (files.length === 0) continue;
      const target = pick(files);
      lines.push({ path, text: `0 @120000 - - - - 0.0 ${target} - -`, directory });
      links.set(target, (links.get(target) ?? 1) + 1);
      continue;
    }
    lines.push({ path, text: text + xattrs(random), directory });
    if (!directory) files.push(path);
  }
  // 2. A file's number of links is only known now.
  const written = lines.map(
    ({ path, text }) => `${path} ${text.replace('LINKS', String(links.get(path) ?? 1))}\n`,
  );
  // 3. C finds the targets of links after the last line.
  return written.join('');
}

function xattrs(random: Random, rare = true): string {
  const { int, chance, pick } = random;
  const found = new Map<string, string>();
  if (chance(0.6)) found.set('security.selinux', pick(LABELS));
  if (chance(0.2))
    found.set(pick(NAMES), chance(0.5) ? randomHex(random, int(100)) : pick(['', 'x', 'same', '-']));
  if (rare && chance(0.05)) found.set(pick(RARE_NAMES), chance(0.5) ? 'y' : randomName(random, int(40)));
  if (chance(0.01)) for (let at = 0; at < 140; at++) found.set(`user.many${at}`, 'v');
  if (chance(0.005)) found.set('user.long', 'l'.repeat(int(3000)));
  return [...found].map(([name, value]) => ` ${name}=${value}`).join('');
}

function inlineContent(random: Random, long: boolean): [text: string, size: number] {
  const { int, chance } = random;
  if (chance(0.2)) return ['-', 0];
  const size = 1 + int(long && chance(0.1) ? 5000 : chance(0.2) ? 512 : 64);
  if (chance(0.1)) return ['\\x00'.repeat(size), size];
  return [`c${'d'.repeat(size - 1)}`, size];
}

function randomHex({ int }: Random, length: number): string {
  let text = '';
  for (let at = 0; at < length; at++) text += int(16).toString(16);
  return text;
}

function randomName({ int }: Random, length: number): string {
  let text = 'n';
  for (let at = 1; at < length; at++) text += 'abcdefghijklmnop.-_0123456789'.charAt(int(29));
  return text;
}
