/**
 * The directories of registries.d: containers-registries.d(5), with the order of container-libs (image 5.40 and later).
 * One directory given by hand replaces them all.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  MAX_REGISTRIES_FILE_SIZE,
  type RegistriesConfig,
  type RegistriesFile,
} from '../../formats/registries-d/config.ts';
import { mergeRegistriesFiles } from '../../formats/registries-d/lookup.ts';
import { readPlainRegistriesFile } from '../../formats/registries-d/plain.ts';
import { userConfigFolder } from './policy-file.ts';
import { errnoOf, fileError, readSmallFile } from './read-file.ts';

export interface RegistriesSearch {
  /** `--registries.d DIR`. */
  readonly directory?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly root?: string;
  /** User number; 0 reads the rootful directories. */
  readonly uid?: number;
}

/**
 * Throws `registries-d/unreadable`, `registries-d/conflict` and what `parseRegistriesFile` throws: a file that
 * cannot be read may be the one that says where the signatures are.
 */
export async function loadRegistriesConfig(search: RegistriesSearch = {}): Promise<RegistriesConfig> {
  const paths = await findRegistriesFiles(search);
  const files = [];
  for (const path of paths) {
    const bytes = await readSmallFile(path, {
      maxSize: MAX_REGISTRIES_FILE_SIZE,
      code: 'registries-d/unreadable',
    });
    files.push(readPlainRegistriesFile(bytes, path) ?? (await parse(bytes, path)));
  }
  return mergeRegistriesFiles(files);
}

async function parse(bytes: Uint8Array, path: string): Promise<RegistriesFile> {
  const { parseRegistriesFile } = await import('../../formats/registries-d/reader.ts');
  return parseRegistriesFile(bytes, path);
}

/** In the order of their names. Of two files with one name in different directories the first directory's counts. */
export async function findRegistriesFiles(search: RegistriesSearch = {}): Promise<string[]> {
  const directories = search.directory === undefined ? defaultDirectories(search) : [search.directory];
  const byName = new Map<string, string>();
  for (const directory of directories) {
    for (const name of await yamlNames(directory)) {
      if (!byName.has(name)) byName.set(name, join(directory, name));
    }
  }
  return [...byName]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([, path]) => path);
}

function defaultDirectories({
  env = process.env,
  root = '/',
  uid = process.getuid?.() ?? -1,
}: RegistriesSearch): string[] {
  const special =
    uid === 0 ? ['registries.rootful.d'] : [`registries.rootless.d/${uid}`, 'registries.rootless.d'];
  const names = [...special, 'registries.d'];
  return [
    join(userConfigFolder(env), 'containers/registries.d'),
    ...names.map((name) => join(root, 'etc/containers', name)),
    ...names.map((name) => join(root, 'usr/share/containers', name)),
  ];
}

/** Every name that ends in `.yaml`, hidden ones too: what the peer reads. A missing directory is an empty one. */
async function yamlNames(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith('.yaml'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileError('registries-d/unreadable', 'open', directory, error);
  }
}
