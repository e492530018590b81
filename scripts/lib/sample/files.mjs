/**
 * Files on their way into a layer: a flat list of entries, whole in memory.
 * Paths have no leading slash; `Buffer`s are never changed after they are made.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createTarReader } from '../../../dist/formats/tar/reader.js';
import { TAR_END, encodeTarHeader, tarPadding } from '../../../dist/formats/tar/writer.js';

/** @typedef {import('../../../src/formats/tar/format.ts').TarEntry & { readonly data?: Uint8Array }} File */

/**
 * The files of a Debian package: dpkg-deb takes the archive apart, our own reader the tar inside.
 * @param {string} deb path of the package
 * @returns {Promise<File[]>}
 */
export async function packageFiles(deb) {
  /** @type {File[]} */
  const files = [];
  /** @type {Buffer[]} */
  let parts = [];
  const reader = createTarReader({
    entry: (entry) => files.push({ ...entry, path: merged(entry.path) }),
    // The reader lends its bytes for the time of the call only.
    data: (bytes) => parts.push(Buffer.from(bytes)),
    endOfFile: () => {
      const [last] = files.splice(-1);
      files.push({ ...last, data: Buffer.concat(parts) });
      parts = [];
    },
  });
  const child = spawn('dpkg-deb', ['--fsys-tarfile', deb], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  for await (const bytes of child.stdout) reader.push(bytes);
  reader.end();
  const [status] = await closed;
  if (status !== 0) throw new Error(`dpkg-deb --fsys-tarfile ${deb}: exit ${status}`);
  return files.filter((file) => file.path !== '');
}

/**
 * Where a package's file lies in the image: `./lib/…` of older packages is `usr/lib/…` on every bootable system.
 * @param {string} path
 */
function merged(path) {
  const clean = path.replace(/^\.?\//, '').replace(/\/+$/, '');
  return clean === '.' ? '' : clean.replace(/^(bin|sbin|lib|lib64)(?=\/|$)/, 'usr/$1');
}

/**
 * @param {string} path
 * @param {bigint} seconds
 * @returns {File}
 */
export function directory(path, seconds, mode = 0o755) {
  return { path, type: 'directory', mode, uid: 0, gid: 0, mtime: { seconds, nanos: 0 } };
}

/**
 * @param {string} path
 * @param {bigint} seconds
 * @param {Uint8Array | string} content
 * @returns {File}
 */
export function file(path, seconds, content, mode = 0o644) {
  const data = typeof content === 'string' ? Buffer.from(content) : content;
  return { path, type: 'file', mode, uid: 0, gid: 0, mtime: { seconds, nanos: 0 }, data };
}

/**
 * @param {'symlink' | 'hardlink'} type
 * @param {string} path
 * @param {bigint} seconds
 * @param {string} linkTarget
 * @returns {File}
 */
export function link(type, path, seconds, linkTarget) {
  return { path, type, mode: 0o777, uid: 0, gid: 0, mtime: { seconds, nanos: 0 }, linkTarget };
}

/**
 * One entry per path, the last one given, in the order of the paths: every directory comes before what is in
 * it. Missing directories are added, because a composefs reader does not make them up.
 * Hardlinks go last, since a reader resolves them at once.
 * @param {readonly File[]} files
 * @param {bigint} seconds time of the added directories
 * @param {ReadonlySet<string>} [below] directories of lower layers
 */
export function ordered(files, seconds, below = new Set()) {
  /** @type {Map<string, File>} */
  const byPath = new Map();
  for (const entry of files) {
    for (let at = entry.path.indexOf('/'); at >= 0; at = entry.path.indexOf('/', at + 1)) {
      const parent = entry.path.slice(0, at);
      if (!byPath.has(parent) && !below.has(parent)) byPath.set(parent, directory(parent, seconds));
    }
    byPath.set(entry.path, entry);
  }
  return [...byPath.values()].sort((a, b) => {
    const last = Number(a.type === 'hardlink') - Number(b.type === 'hardlink');
    return last === 0 ? (a.path < b.path ? -1 : 1) : last;
  });
}

/** @param {readonly File[]} files */
export function tarArchive(files) {
  const parts = files.flatMap(({ data, ...entry }) => {
    const size = data?.length ?? 0;
    const header = encodeTarHeader({ ...entry, size });
    return data === undefined ? [header] : [header, data, tarPadding(size)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

/**
 * Runs a filter program to its end.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {Uint8Array} input
 */
export function filter(program, args, input) {
  const { status, stdout, error } = spawnSync(program, args, { input, maxBuffer: 1 << 30 });
  if (error || status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: exit ${status}`);
  return stdout;
}
