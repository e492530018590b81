/** bootseal itself for a guest: a disk with Node, its libraries and the compiled package, and the shell words to use it. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { makeVerityDisk } from './guest.ts';
import { projectRoot } from './project.ts';

/** Packages that the commands under test load. */
const PACKAGES = ['@stricli', 'smol-toml', 'undici', 'valibot', 'yaml'];

/** `extra`: folders to copy beside, by name. */
export function makeToolsDisk(disk: string, folder: string, extra: Readonly<Record<string, string>>): void {
  const tools = join(folder, 'tools');
  mkdirSync(join(tools, 'lib'), { recursive: true });
  const zstd = execFileSync('sh', ['-c', 'command -v zstd'], { encoding: 'utf8' }).trim();
  cpSync(process.execPath, join(tools, 'node'), { dereference: true });
  cpSync(zstd, join(tools, 'zstd'), { dereference: true });
  const libraries = execFileSync('ldd', [process.execPath, zstd], { encoding: 'utf8' });
  for (const [, path] of libraries.matchAll(/(?:=> |\t)(\/[^ ]+) \(/g)) {
    cpSync(realpathSync(path), join(tools, 'lib', basename(path)));
  }
  const root = projectRoot();
  for (const name of ['dist', 'package.json'])
    cpSync(join(root, name), join(tools, name), { recursive: true });
  for (const name of PACKAGES) {
    cpSync(join(root, 'node_modules', name), join(tools, 'node_modules', name), { recursive: true });
  }
  for (const [name, path] of Object.entries(extra)) {
    cpSync(path, join(tools, name), { recursive: true, verbatimSymlinks: true });
  }
  makeVerityDisk(disk, tools, 384);
}

/** Peers that bootseal runs, under the names that it runs them by. */
export const TOOL_PEERS: readonly string[] = ['flock', 'fsverity', 'mount', 'sync', 'umount'];

/** The disk is mounted on /tools by then. Programs of busybox stay where there is no peer of that name. */
export const TOOLS_SCRIPT: string = `mkdir -p /lib64 /wrap
cp /tools/lib/ld-linux-x86-64.so.2 /lib64/
for name in ${TOOL_PEERS.join(' ')}; do
  printf '#!/bin/busybox sh\\nexec /peers/ld.so --library-path /peers/lib /peers/bin/%s "$@"\\n' $name >/wrap/$name
  chmod 755 /wrap/$name
done
printf '#!/bin/busybox sh\\nexec /lib64/ld-linux-x86-64.so.2 --library-path /tools/lib /tools/zstd "$@"\\n' >/wrap/zstd
chmod 755 /wrap/zstd
export PATH=/wrap:/bin
bootseal() { LD_LIBRARY_PATH=/tools/lib /tools/node /tools/dist/cli/main.js "$@" 2>&1 | cat; }
`;
