/**
 * The files of registries.conf: containers-registries.conf(5), with the order of container-libs (image 5.40 and later).
 * One file given by hand, or named by CONTAINERS_REGISTRIES_CONF, is the only one read.
 */
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NO_REGISTRIES_CONF, type RegistriesConf } from '../../formats/registries-conf/config.ts';
import { userConfigFolder } from './policy-file.ts';
import { errnoOf, fileError, readSmallFile } from './read-file.ts';

/** As the reader bounds it; said here as well so that the TOML parser is loaded only where there is a file. */
const MAX_SIZE = 4 * 1024 * 1024;

export interface RegistriesConfSearch {
  /** `--registries-conf FILE`. */
  readonly file?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly root?: string;
  /** User number; 0 reads the rootful directories. */
  readonly uid?: number;
}

/** Throws `registries-conf/unreadable` and what the reader throws. No file at all is no configuration. */
export async function loadRegistriesConf(search: RegistriesConfSearch = {}): Promise<RegistriesConf> {
  const paths = await findRegistriesConf(search);
  if (paths.length === 0) return NO_REGISTRIES_CONF;
  const [{ parseRegistriesConf }, { mergeRegistriesConf }] = await Promise.all([
    import('../../formats/registries-conf/reader.ts'),
    import('../../formats/registries-conf/lookup.ts'),
  ]);
  const files = [];
  for (const path of paths) {
    const bytes = await readSmallFile(path, { maxSize: MAX_SIZE, code: 'registries-conf/unreadable' });
    files.push(parseRegistriesConf(bytes, path));
  }
  return mergeRegistriesConf(files);
}

/** The main file, then the drop-ins in the order of their names; what comes later wins. */
export async function findRegistriesConf(search: RegistriesConfSearch = {}): Promise<string[]> {
  const { file, env = process.env, root = '/', uid = process.getuid?.() ?? -1 } = search;
  const named = file ?? env['CONTAINERS_REGISTRIES_CONF'];
  if (named !== undefined && named !== '') return [named];
  const user = join(userConfigFolder(env), 'containers');
  const system = ['etc/containers', 'usr/share/containers'].map((folder) => join(root, folder));
  const found: string[] = [];
  for (const folder of [user, ...system]) {
    if (found.length === 0 && (await exists(join(folder, 'registries.conf'))))
      found.push(join(folder, 'registries.conf'));
  }
  const special = uid === 0 ? ['.rootful.d'] : [`.rootless.d/${uid}`, '.rootless.d'];
  const folders = [
    join(user, 'registries.conf.d'),
    ...system.flatMap((folder) =>
      [...special, '.d'].map((suffix) => join(folder, `registries.conf${suffix}`)),
    ),
  ];
  // Of two drop-ins with one name the first folder's counts.
  const byName = new Map<string, string>();
  for (const folder of folders) {
    for (const name of await confNames(folder)) if (!byName.has(name)) byName.set(name, join(folder, name));
  }
  const dropIns = [...byName].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return [...found, ...dropIns.map(([, path]) => path)];
}

async function confNames(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.conf'));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return [];
    throw fileError('registries-conf/unreadable', 'open', folder, error);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
  }
}
