/**
 * The archive that `docker save` writes: manifest.json lists images, each with a configuration and layers by path.
 * There is no manifest as registries have it; {@link makeManifest} makes the one that containers/image makes.
 */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { expectObject } from '../oci/descriptor.ts';
import { digestOf, type Digest } from '../oci/digest.ts';
import { MAX_MANIFEST_SIZE, parseJson } from '../oci/manifest.ts';
import { MEDIA_TYPES } from '../oci/media-types.ts';
import {
  formatReference,
  parseDockerReference,
  withDefaultTag,
  type DockerReference,
} from '../reference/docker-reference.ts';

export const MANIFEST_FILE = 'manifest.json';
export const MAX_ARCHIVE_MANIFEST: number = MAX_MANIFEST_SIZE;

/** Far above what anyone saves at once. */
const MAX_IMAGES = 10_000;
const MAX_LAYERS = 10_000;

export interface ArchivedImage {
  /** Path of the configuration within the archive. */
  readonly config: string;
  readonly repoTags: readonly string[];
  /** Paths, bottom layer first. */
  readonly layers: readonly string[];
}

/** What the part after the path chooses. */
export type ArchiveChoice =
  | { readonly kind: 'only' }
  | { readonly kind: 'place'; readonly index: number }
  | { readonly kind: 'name'; readonly reference: DockerReference };

/** `NAME[:TAG]` or `@INDEX`, or nothing for the only image. Throws `docker-archive/bad-reference`, a usage error. */
export function parseArchiveReference(text: string | undefined): ArchiveChoice {
  if (text === undefined || text === '') return { kind: 'only' };
  if (text.startsWith('@')) {
    if (/^@(?:0|[1-9][0-9]{0,8})$/.test(text)) return { kind: 'place', index: Number(text.slice(1)) };
    throw badReference(text, 'not @ and a place in manifest.json');
  }
  let reference: DockerReference;
  try {
    reference = withDefaultTag(parseDockerReference(text));
  } catch (error) {
    throw badReference(text, isBootsealError(error) ? error.message : String(error));
  }
  if (reference.digest !== undefined) {
    throw badReference(
      text,
      `reference ${formatReference(reference)} is a digest reference, a tag is needed`,
    );
  }
  return { kind: 'name', reference };
}

/** Throws `docker-archive/malformed`. Paths are names of entries only; nothing is ever unpacked. */
export function parseArchiveManifest(bytes: Uint8Array): ArchivedImage[] {
  if (bytes.length > MAX_ARCHIVE_MANIFEST) throw bad(`manifest.json of ${bytes.length} bytes`);
  const list = asMalformed(() => parseJson(bytes, MANIFEST_FILE));
  if (!Array.isArray(list)) throw bad('manifest.json is not a list');
  if (list.length > MAX_IMAGES) throw bad(`manifest.json lists ${list.length} images`);
  return list.map((item: unknown, at) =>
    asMalformed(() => {
      const object = expectObject(item, `image ${at}`);
      const { Config: config } = object;
      if (typeof config !== 'string' || config === '') throw bad(`image ${at} names no Config`);
      const layers = strings(object['Layers'], `Layers of image ${at}`);
      if (layers.length > MAX_LAYERS) throw bad(`image ${at} has ${layers.length} layers`);
      return {
        config: cleanPath(config),
        repoTags: strings(object['RepoTags'], `RepoTags of image ${at}`),
        layers: layers.map(cleanPath),
      };
    }),
  );
}

/** Throws `docker-archive/no-such-image`, `docker-archive/many-images`. */
export function chooseImage(images: readonly ArchivedImage[], choice: ArchiveChoice): ArchivedImage {
  switch (choice.kind) {
    case 'only':
      if (images.length === 1) return images[0];
      throw new BootsealError(
        'docker-archive/many-images',
        `Unexpected tar manifest.json: expected 1 item, got ${images.length}`,
        { hint: 'say which: docker-archive:PATH:NAME:TAG, or docker-archive:PATH:@INDEX', exit: 2 },
      );
    case 'place': {
      const image = images.at(choice.index);
      if (image !== undefined) return image;
      throw noSuchImage(
        `Invalid source index @${choice.index}, only ${images.length} manifest items available`,
        images,
      );
    }
    case 'name':
    default: {
      const wanted = formatReference(choice.reference);
      const image = images.find(({ repoTags }) => repoTags.some((tag) => normalTag(tag) === wanted));
      if (image !== undefined) return image;
      throw noSuchImage(`Tag ${JSON.stringify(wanted)} not found`, images);
    }
  }
}

/** A layer as it is in the archive. */
export interface ArchivedLayer {
  readonly diffId: Digest;
  /** Bytes, uncompressed. */
  readonly size: number;
}

/**
 * The Docker manifest of schema 2 that stands for the image, byte for byte as containers/image makes it: layers by
 * their diffID and plain size, though their media type says gzip.
 */
export function makeManifest(configBytes: Uint8Array, layers: readonly ArchivedLayer[]): Uint8Array {
  return encodeUtf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.dockerManifest,
      config: {
        mediaType: MEDIA_TYPES.dockerConfig,
        size: configBytes.length,
        digest: digestOf(configBytes),
      },
      layers: layers.map(({ diffId, size }) => ({
        mediaType: MEDIA_TYPES.dockerLayerGzip,
        size,
        digest: diffId,
      })),
    }),
  );
}

/** Where a symbolic link of an archive leads: `../ID/layer.tar`, seen from its own folder. Nothing above the root. */
export function linkTarget(path: string, target: string): string {
  return cleanPath(target.startsWith('/') ? target : `${path.replace(/[^/]*$/, '')}${target}`);
}

/** As Go's path.Clean does for names of entries, with what would lead out of the archive left out. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function normalTag(tag: string): string | undefined {
  try {
    return formatReference(withDefaultTag(parseDockerReference(tag)));
  } catch (error) {
    if (isBootsealError(error))
      throw bad(`invalid tag ${JSON.stringify(tag.slice(0, 200))} in manifest.json`);
    throw error;
  }
}

function strings(value: unknown, what: string): string[] {
  if (value == null) return [];
  if (!Array.isArray(value)) throw bad(`${what} is not a list`);
  return value.map((each: unknown) => {
    if (typeof each === 'string') return each;
    throw bad(`${what} holds something else than text`);
  });
}

function asMalformed<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isBootsealError(error) && error.code.startsWith('oci/')) throw bad(error.message);
    throw error;
  }
}

function noSuchImage(message: string, images: readonly ArchivedImage[]): BootsealError {
  const tags = images.flatMap(({ repoTags }) => repoTags).slice(0, 20);
  return new BootsealError('docker-archive/no-such-image', message, {
    hint: tags.length === 0 ? 'its images have no names: use @0' : `it has ${tags.join(', ')}`,
    exit: 2,
  });
}

function badReference(text: string, why: string): BootsealError {
  return new BootsealError('docker-archive/bad-reference', `${JSON.stringify(text.slice(0, 300))}: ${why}`, {
    hint: 'write docker-archive:PATH, docker-archive:PATH:NAME:TAG or docker-archive:PATH:@INDEX',
    exit: 2,
  });
}

function bad(message: string): BootsealError {
  return new BootsealError('docker-archive/malformed', message, {
    hint: 'this is no archive of docker save, or it is damaged',
  });
}
