/** images.json and layers.json of a store of containers/storage: as much of them as reading an image needs. */
import { BootsealError, isBootsealError } from '../../errors.ts';
import { expectObject } from '../oci/descriptor.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { parseJson } from '../oci/manifest.ts';

/** Thousands of images have some megabytes. */
export const MAX_STORE_FILE: number = 64 * 1024 * 1024;

export interface StoredImage {
  /** 64 hex digits: it names a folder. */
  readonly id: string;
  readonly digest?: Digest;
  readonly names: readonly string[];
  /** Top layer, which knows its parent. */
  readonly layer?: string;
  /** Length of each signature within the big-data file of the same manifest; key `''` for the image's own. */
  readonly signatureSizes: ReadonlyMap<string, readonly number[]>;
  readonly bigDataNames: readonly string[];
}

export interface StoredLayer {
  readonly id: string;
  readonly parent?: string;
  /** Digest and bytes of the plain tar. */
  readonly diffDigest?: Digest;
  readonly diffSize: number;
}

/** Throws `containers-storage/malformed`. Ids become names of files: anything but letters and digits is refused. */
export function parseImages(bytes: Uint8Array): StoredImage[] {
  return list(bytes, 'images.json').map((item, at) => {
    const what = `images.json[${at}]`;
    const metadata = optionalText(item['metadata'], what) ?? '';
    return {
      id: idOf(item['id'], what),
      ...optionalDigest('digest', item['digest']),
      names: texts(item['names'], what),
      ...(item['layer'] !== undefined && item['layer'] !== '' && { layer: idOf(item['layer'], what) }),
      signatureSizes: sizesOf(metadata, what),
      bigDataNames: texts(item['big-data-names'], what),
    };
  });
}

export function parseLayers(bytes: Uint8Array): StoredLayer[] {
  return list(bytes, 'layers.json').map((item, at) => {
    const what = `layers.json[${at}]`;
    const size = item['diff-size'] ?? 0;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < -1) throw bad(`${what}: diff-size`);
    return {
      id: idOf(item['id'], what),
      ...(item['parent'] !== undefined && item['parent'] !== '' && { parent: idOf(item['parent'], what) }),
      ...optionalDigest('diffDigest', item['diff-digest']),
      diffSize: size,
    };
  });
}

/** The name of the file that holds a piece of big data. */
export function bigDataFile(key: string): string {
  // Upstream looks at every character but leaves a bad one at the very end alone.
  return /^[.0-9a-z]*$/.test(key.slice(0, -1)) ? key : `=${Buffer.from(key).toString('base64')}`;
}

/** `{"signature-sizes":[…],"signatures-sizes":{DIGEST:[…]}}`, itself JSON within a string. */
function sizesOf(metadata: string, what: string): Map<string, readonly number[]> {
  const sizes = new Map<string, readonly number[]>();
  if (metadata === '') return sizes;
  const document = asMalformed(() =>
    expectObject(parseJson(Buffer.from(metadata), `${what}.metadata`), 'metadata'),
  );
  if (document['signature-sizes'] != null) sizes.set('', counts(document['signature-sizes'], what));
  const others = document['signatures-sizes'];
  if (others != null) {
    for (const [digest, value] of Object.entries(
      asMalformed(() => expectObject(others, 'signatures-sizes')),
    )) {
      sizes.set(digest, counts(value, what));
    }
  }
  return sizes;
}

function counts(value: unknown, what: string): number[] {
  if (!Array.isArray(value)) throw bad(`${what}: signature sizes are not a list`);
  return value.map((each: unknown) => {
    if (typeof each === 'number' && Number.isSafeInteger(each) && each >= 0) return each;
    throw bad(`${what}: a signature size is not a count of bytes`);
  });
}

function list(bytes: Uint8Array, what: string): Readonly<Record<string, unknown>>[] {
  const value = asMalformed(() => parseJson(bytes, what));
  // An empty store writes null.
  if (value === null) return [];
  if (!Array.isArray(value)) throw bad(`${what} is not a list`);
  return value.map((item: unknown, at) => asMalformed(() => expectObject(item, `${what}[${at}]`)));
}

function idOf(value: unknown, what: string): string {
  if (typeof value === 'string' && /^[a-zA-Z0-9_-]{1,128}$/.test(value)) return value;
  throw bad(`${what}: id is not letters and digits`);
}

function texts(value: unknown, what: string): string[] {
  if (value == null) return [];
  if (!Array.isArray(value)) throw bad(`${what}: not a list`);
  return value.map((each: unknown) => {
    if (typeof each === 'string') return each;
    throw bad(`${what}: not a list of texts`);
  });
}

function optionalText(value: unknown, what: string): string | undefined {
  if (value == null) return undefined;
  if (typeof value === 'string') return value;
  throw bad(`${what}: metadata is not text`);
}

function optionalDigest<K extends string>(key: K, value: unknown): { readonly [P in K]?: Digest } {
  return typeof value === 'string' && isDigest(value) ? ({ [key]: value } as { [P in K]: Digest }) : {};
}

function asMalformed<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isBootsealError(error) && error.code.startsWith('oci/')) throw bad(error.message);
    throw error;
  }
}

function bad(why: string): BootsealError {
  return new BootsealError('containers-storage/malformed', why, {
    hint: 'the store is damaged: podman system check',
  });
}
