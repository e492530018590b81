/**
 * The files of a store of containers/storage (podman, buildah, CRI-O), read as they lie: no daemon, no root, no lock.
 * Its lists are replaced whole when they change, so one reading is one state.
 */
import { lstat, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BootsealError } from '../../errors.ts';
import { decodeUtf8 } from '../../bytes/bytes.ts';
import {
  bigDataFile,
  MAX_STORE_FILE,
  parseImages,
  parseLayers,
  type StoredImage,
  type StoredLayer,
} from '../../formats/containers-storage/reader.ts';
import type { StorageReference } from '../../formats/containers-storage/reference.ts';
import { formatReference, repositoryName } from '../../formats/reference/docker-reference.ts';
import { readAll, tooLarge } from '../checked-blob.ts';
import { systemCode } from '../file-errors.ts';
import { openRegular, readRange } from '../oci-layout/files.ts';

export interface Store {
  readonly driver: string;
  /** Without symbolic links: policies name it. */
  readonly root: string;
  readonly images: readonly StoredImage[];
  layers(): Promise<readonly StoredLayer[]>;
  /** A piece of an image's big data, or undefined. Throws `store/too-large`. */
  bigData(image: StoredImage, key: string, limit: number): Promise<Uint8Array | undefined>;
  /** Path of a layer's tar-split file. */
  tarSplit(layer: StoredLayer): string;
  /** Folder with the files of a layer, as the driver keeps them. */
  contents(layer: StoredLayer): string;
}

/** Drivers that keep plain files. */
const CONTENTS: Readonly<Record<string, (root: string, id: string) => string>> = {
  vfs: (root, id) => join(root, 'vfs', 'dir', id),
  overlay: (root, id) => join(root, 'overlay', id, 'diff'),
};

/** Throws `containers-storage/no-store`, `containers-storage/malformed`. */
export async function openStore(
  reference: StorageReference,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Store> {
  const place = reference.root ?? (await defaultRoot(env));
  const root = await realpath(place).catch((cause: unknown) => {
    throw noStore(place, 'does not exist', cause);
  });
  const driver = reference.driver ?? (await presentDriver(root));
  const read = async (path: string): Promise<Uint8Array | undefined> =>
    readWhole(join(root, path), MAX_STORE_FILE);
  const images = await read(`${driver}-images/images.json`);
  if (images === undefined) throw noStore(root, `has no images of driver ${driver}`);
  return {
    driver,
    root,
    images: parseImages(images),
    async layers() {
      const stable = parseLayers((await read(`${driver}-layers/layers.json`)) ?? Buffer.from('[]'));
      const volatile = await read(`${driver}-layers/volatile-layers.json`);
      return volatile === undefined ? stable : [...stable, ...parseLayers(volatile)];
    },
    bigData(image, key, limit) {
      const name = bigDataFile(key);
      // base64 may hold slashes: such a key has no file of its own.
      if (name.includes('/') || !image.bigDataNames.includes(key)) return Promise.resolve(undefined);
      return readWhole(join(root, `${driver}-images`, image.id, name), limit);
    },
    tarSplit: (layer) => join(root, `${driver}-layers`, `${layer.id}.tar-split.gz`),
    contents(layer) {
      const folder = Object.hasOwn(CONTENTS, driver) ? CONTENTS[driver] : undefined;
      if (folder !== undefined) return folder(root, layer.id);
      throw new BootsealError(
        'containers-storage/unsupported-driver',
        `layers of driver ${driver} cannot be read`,
        {
          hint: 'overlay and vfs can; copy the image out with skopeo or podman save',
        },
      );
    },
  };
}

/** Throws `containers-storage/no-such-image`. */
export function findImage(store: Store, reference: StorageReference): { image: StoredImage; byId: boolean } {
  const { named, id, maybeId } = reference;
  const wanted = id ?? maybeId;
  if (wanted !== undefined) {
    const found = store.images.filter((image) => image.id.startsWith(wanted));
    const exact = found.find((image) => image.id === wanted);
    if (exact !== undefined) return { image: exact, byId: true };
    if (found.length === 1) return { image: found[0], byId: true };
    if (found.length > 1) throw noImage(store, `${wanted} is the beginning of ${found.length} image IDs`);
    if (id !== undefined) throw noImage(store, `no image has the ID ${id}`);
  }
  if (named !== undefined) {
    const name = formatReference(named);
    const image = store.images.find(({ names }) => names.includes(name));
    if (image !== undefined) return { image, byId: false };
    if (named.digest !== undefined) {
      const { digest } = named;
      const own = repositoryName(named);
      const byDigest = store.images.find(
        (each) =>
          (each.digest === digest || each.bigDataNames.includes(`manifest-${digest}`)) &&
          each.names.some((other) => other.startsWith(`${own}:`) || other.startsWith(`${own}@`)),
      );
      if (byDigest !== undefined) return { image: byDigest, byId: false };
    }
    throw noImage(store, `${JSON.stringify(name)} does not resolve to an image ID`);
  }
  throw noImage(store, 'nothing names an image');
}

/**
 * A path within `root`, symbolic links followed as if `root` were `/`, as they were when the layer was unpacked. What
 * leads out of it does not; forty links are a circle.
 */
export async function resolveWithin(root: string, name: string): Promise<string> {
  const pending = name.split('/');
  const done: string[] = [];
  let hops = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const path = join(root, ...done, part);
    const info = await lstat(path).catch((error: unknown) => {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    });
    if (info?.isSymbolicLink() === true && pending.length > 0) {
      hops += 1;
      if (hops > 40)
        throw new BootsealError('containers-storage/malformed', `too many links in ${JSON.stringify(name)}`);
      const target = await readlink(path);
      if (target.startsWith('/')) done.length = 0;
      pending.unshift(...target.split('/'));
    } else done.push(part);
  }
  return join(root, ...done);
}

/** `graphroot` of the first storage.conf, else what podman uses without one. */
async function defaultRoot(env: NodeJS.ProcessEnv): Promise<string> {
  const home = env['HOME'] || homedir();
  const config = env['XDG_CONFIG_HOME'] || join(home, '.config');
  const isRoot = process.getuid?.() === 0;
  const named = env['CONTAINERS_STORAGE_CONF'];
  const files =
    named !== undefined && named !== ''
      ? [named]
      : [
          ...(isRoot ? [] : [join(config, 'containers/storage.conf')]),
          '/etc/containers/storage.conf',
          '/usr/share/containers/storage.conf',
        ];
  for (const file of files) {
    const bytes = await readFile(file).catch(() => undefined);
    const text = bytes && decodeUtf8(bytes);
    if (text === undefined) continue;
    const { parse } = await import('smol-toml');
    const { storage } = parse(text) as { storage?: { graphroot?: unknown; rootless_storage_path?: unknown } };
    const ours = isRoot || file.startsWith(config) ? storage?.graphroot : storage?.rootless_storage_path;
    // Variables in a path ($HOME, $UID) are for podman to fill in.
    if (typeof ours === 'string' && ours.startsWith('/') && !ours.includes('$')) return ours;
    break;
  }
  if (isRoot) return '/var/lib/containers/storage';
  return join(env['XDG_DATA_HOME'] || join(home, '.local/share'), 'containers/storage');
}

async function presentDriver(root: string): Promise<string> {
  const names = await readdir(root).catch((cause: unknown) => {
    throw noStore(root, 'cannot be read', cause);
  });
  const drivers = names.flatMap((name) => /^([a-z0-9]+)-images$/.exec(name)?.[1] ?? []);
  if (drivers.length === 1) return drivers[0];
  if (drivers.includes('overlay')) return 'overlay';
  if (drivers.length === 0) throw noStore(root, 'has no images');
  throw noStore(root, `has images of several drivers: ${drivers.join(', ')}`);
}

async function readWhole(path: string, limit: number): Promise<Uint8Array | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  const { size } = await file.stat();
  if (size <= limit) return readAll(readRange(file, 0, size, undefined, true), limit, path);
  await file.close();
  throw tooLarge(path, limit);
}

function noStore(root: string, why: string, cause?: unknown): BootsealError {
  return new BootsealError('containers-storage/no-store', `${root} ${why}`, {
    hint: 'name the store: containers-storage:[overlay@/var/lib/containers/storage]NAME; podman info shows it',
    ...(cause !== undefined && { cause }),
  });
}

function noImage(store: Store, why: string): BootsealError {
  return new BootsealError('containers-storage/no-such-image', `reference ${why}`, {
    hint: `podman --root ${store.root} images lists what is there`,
    exit: 2,
  });
}
