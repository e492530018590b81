/** Debian packages of the suite that this machine has, downloaded without root into the cache folder. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../cache.mjs';

/** The newest cloud kernel line first: from 6.12 on EROFS reads straight from a file. */
const KERNELS = ['linux-image-6.12-cloud-amd64', 'linux-image-cloud-amd64'];

/** The package that holds the kernel: the two above only depend on it. */
export function kernelPackage() {
  for (const name of KERNELS) {
    const depends = spawnSync('apt-cache', ['depends', name], { encoding: 'utf8' });
    const found = /Depends: (linux-image-[0-9][^\s]*)/.exec(depends.stdout ?? '');
    if (found) return found[1];
  }
  throw new Error('no cloud kernel in the package lists of apt; fetch them: sudo apt-get update');
}

/**
 * @param {readonly string[]} names
 * @returns {string[]} paths of the .deb files, in the order of the names
 */
export function downloadPackages(names) {
  const folder = join(cacheFolder(), 'debs');
  mkdirSync(folder, { recursive: true });
  // apt drops its rights for downloads, and could then not write into root's home; hashes are checked anyway.
  const options = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
  const listing = spawnSync('apt-get', ['download', '--print-uris', ...names], { encoding: 'utf8' });
  if (listing.status !== 0) {
    throw new Error(`apt-get download ${names.join(' ')}: ${listing.stderr}try: sudo apt-get update`);
  }
  // One line a package: 'URI' FILE SIZE SHA256:HEX
  const wanted = [...listing.stdout.matchAll(/^'[^']+' (\S+) [0-9]+ SHA256:([0-9a-f]{64})$/gm)].map(
    ([, name, sha256]) => ({ path: join(folder, name), sha256 }),
  );
  if (wanted.length !== names.length) throw new Error(`apt-get names no SHA-256 for ${names.join(' ')}`);
  if (!wanted.every(isWhole)) {
    const done = spawnSync('apt-get', [...options, 'download', '-q', ...names], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (done.status !== 0 || !wanted.every(isWhole)) throw new Error(`cannot download ${names.join(' ')}`);
  }
  return names.map((name) => {
    const found = wanted.find(({ path }) => path.startsWith(join(folder, `${name}_`)));
    if (!found) throw new Error(`apt-get names no file for ${name}`);
    return found.path;
  });
}

/** @param {{ readonly path: string, readonly sha256: string }} wanted */
function isWhole({ path, sha256 }) {
  return existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') === sha256;
}
