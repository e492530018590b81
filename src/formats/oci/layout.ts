/** The two documents at the top of an OCI image layout, OCI image-spec image-layout.md. */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { expectObject, type Descriptor } from './descriptor.ts';
import { digestParts, type Digest } from './digest.ts';
import { parseJson, parseManifest, type ImageIndex } from './manifest.ts';
import { MEDIA_TYPES } from './media-types.ts';

export const LAYOUT_FILE = 'oci-layout';
export const INDEX_FILE = 'index.json';
export const LAYOUT_DOCUMENT: Uint8Array = encodeUtf8('{"imageLayoutVersion":"1.0.0"}');

/** The annotation of an index entry that gives the image its name within the layout. */
export const REF_NAME = 'org.opencontainers.image.ref.name';

/** Path of a blob within the layout; safe, because a Digest has been checked. */
export function blobPath(digest: Digest): string {
  const { algorithm, hex } = digestParts(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** Throws `oci/bad-layout` unless the marker file says version 1. */
export function checkLayoutFile(bytes: Uint8Array): void {
  const version = expectObject(parseJson(bytes, LAYOUT_FILE), LAYOUT_FILE)['imageLayoutVersion'];
  if (version !== '1.0.0') throw bad(`imageLayoutVersion is ${JSON.stringify(version)}, not "1.0.0"`);
}

/** Throws `oci/bad-layout`, `oci/bad-manifest`, `oci/bad-descriptor`, `oci/bad-digest`. */
export function parseLayoutIndex(bytes: Uint8Array): ImageIndex {
  const index = parseManifest(bytes, MEDIA_TYPES.ociIndex);
  if (index.kind !== 'index') throw bad(`${INDEX_FILE} is not an image index`);
  return index;
}

/** Which entry a name such as `oci:PATH:image` or `oci:PATH:@index` means. Throws `oci/no-such-image`, `oci/many-images`. */
export function selectEntry(
  index: ImageIndex,
  image: string | undefined,
  place: number | undefined,
): Descriptor {
  const { manifests } = index;
  const names = manifests.flatMap((entry) => entry.annotations?.[REF_NAME] ?? []);
  const hint = names.length === 0 ? undefined : `the layout has: ${names.slice(0, 10).join(', ')}`;
  if (place !== undefined) {
    const entry = manifests[place];
    if (entry === undefined)
      throw missing(`index ${place} is beyond the ${manifests.length} images of the layout`, hint);
    return entry;
  }
  if (image === undefined) {
    if (manifests.length === 0) throw missing('the layout holds no image', hint);
    if (manifests.length === 1) return manifests[0];
    throw new BootsealError('oci/many-images', 'more than one image in oci, choose an image', {
      hint: hint ?? 'choose one by its place: oci:PATH:@0',
      exit: 2,
    });
  }
  const named = manifests.filter((entry) => entry.annotations?.[REF_NAME] === image);
  if (named.length === 0) throw missing(`no descriptor found for reference ${JSON.stringify(image)}`, hint);
  // Two meanings of one name are no meaning: which one a reader takes would be the attacker's choice.
  if (new Set(named.map((entry) => entry.digest)).size > 1) {
    throw new BootsealError(
      'oci/many-images',
      `reference ${JSON.stringify(image)} names ${named.length} images`,
      {
        hint: 'choose one by its place: oci:PATH:@0',
      },
    );
  }
  return named[0];
}

/**
 * The index with one entry added under a name, as bytes. The entry that had the name before, or every entry
 * without a name when there is none, is replaced; all others stay as they are, with fields we do not know.
 */
export function setEntry(
  index: Uint8Array | undefined,
  entry: Descriptor,
  image: string | undefined,
): Uint8Array {
  const document: Record<string, unknown> =
    index === undefined
      ? { schemaVersion: 2 }
      : { ...expectObject(parseJson(index, INDEX_FILE), INDEX_FILE) };
  const old = index === undefined ? [] : (document['manifests'] as readonly unknown[]);
  const kept = old.filter((other) => nameOf(other) !== image);
  const { annotations: _, ...bare } = entry;
  const added = image === undefined ? bare : { ...bare, annotations: { [REF_NAME]: image } };
  return encodeUtf8(JSON.stringify({ ...document, manifests: [...kept, added] }));
}

/** Entries have been parsed once already: only the name is looked at. */
function nameOf(entry: unknown): string | undefined {
  const annotations = (entry as { readonly annotations?: Readonly<Record<string, string>> }).annotations;
  return annotations?.[REF_NAME];
}

function missing(message: string, hint: string | undefined): BootsealError {
  return new BootsealError('oci/no-such-image', message, hint === undefined ? {} : { hint });
}

function bad(message: string): BootsealError {
  return new BootsealError('oci/bad-layout', message, { hint: 'is this an OCI image layout?' });
}
