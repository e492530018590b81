/** Image manifests and indexes: OCI image-spec manifest.md and image-index.md, and Docker's schema 2. */
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { expectObject, parseAnnotations, parseDescriptor, type Descriptor } from './descriptor.ts';
import { MEDIA_TYPES } from './media-types.ts';

/** 4 MiB, as containers/image and registries bound a manifest: it is held in memory before its digest is known. */
export const MAX_MANIFEST_SIZE: number = 4 * 1024 * 1024;

/** Far above any real image, low enough that a hostile manifest costs nothing. */
const MAX_DESCRIPTORS = 10_000;

export interface ImageManifest {
  readonly kind: 'image';
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Bottom layer first. */
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly subject?: Descriptor;
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export type Manifest = ImageManifest | ImageIndex;

/**
 * Parses manifest bytes whose digest the caller has already checked. `mediaType` is what the descriptor or the
 * registry said, if anything; it must agree with the document. A document that could be read both as an image
 * and as an index is refused (CVE-2021-41190). Throws `oci/bad-manifest`.
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string): Manifest {
  if (bytes.length > MAX_MANIFEST_SIZE)
    throw bad(`manifest of ${bytes.length} bytes exceeds ${MAX_MANIFEST_SIZE}`);
  const object = expectObject(parseJson(bytes, 'manifest'), 'manifest');
  if (object['schemaVersion'] !== 2) throw bad('schemaVersion is not 2');
  const hasImage = 'config' in object || 'layers' in object;
  const hasIndex = 'manifests' in object;
  if (hasImage && hasIndex) throw bad('document is both an image manifest and an index');
  const declared = object['mediaType'];
  if (declared !== undefined && typeof declared !== 'string') throw bad('mediaType is not a string');
  const type =
    declared ?? knownManifestType(mediaType) ?? (hasIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest);
  if (declared !== undefined && knownManifestType(mediaType) !== undefined && declared !== mediaType) {
    throw bad(`document says ${declared}, but was served as ${mediaType}`);
  }
  const annotations = parseAnnotations(object['annotations'], 'annotations');
  if (type === MEDIA_TYPES.ociIndex || type === MEDIA_TYPES.dockerList) {
    if (!hasIndex) throw bad('index without manifests');
    const manifests = parseDescriptors(object['manifests'], 'manifests');
    return { kind: 'index', mediaType: type, manifests, ...(annotations && { annotations }) };
  }
  if (type !== MEDIA_TYPES.ociManifest && type !== MEDIA_TYPES.dockerManifest) {
    throw bad(`unsupported manifest type ${type}`);
  }
  const artifactType = object['artifactType'];
  return {
    kind: 'image',
    mediaType: type,
    config: parseDescriptor(object['config'], 'config'),
    layers: parseDescriptors(object['layers'], 'layers'),
    ...(annotations && { annotations }),
    ...(typeof artifactType === 'string' && artifactType !== '' && { artifactType }),
    ...(object['subject'] != null && { subject: parseDescriptor(object['subject'], 'subject') }),
  };
}

/** UTF-8 JSON of a document that is addressed by its digest, so that two readers see the same bytes. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw bad(`${what} is not UTF-8`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BootsealError('oci/bad-manifest', `${what} is not JSON`, {
      cause,
      hint: 'the image is damaged or not an OCI image; copy or build it again',
    });
  }
}

function parseDescriptors(value: unknown, what: string): Descriptor[] {
  if (!Array.isArray(value)) throw bad(`${what} is not a list`);
  if (value.length > MAX_DESCRIPTORS) throw bad(`${what} has ${value.length} entries`);
  return value.map((item, at) => parseDescriptor(item, `${what}[${at}]`));
}

function knownManifestType(type: string | undefined): string | undefined {
  const known: readonly string[] = [
    MEDIA_TYPES.ociManifest,
    MEDIA_TYPES.ociIndex,
    MEDIA_TYPES.dockerManifest,
    MEDIA_TYPES.dockerList,
  ];
  return type !== undefined && known.includes(type) ? type : undefined;
}

function bad(message: string): BootsealError {
  return new BootsealError('oci/bad-manifest', message, {
    hint: 'the image is damaged or not an OCI image; copy or build it again',
  });
}
