/** Descriptors, OCI image-spec descriptor.md. */
import { BootsealError } from '../../errors.ts';
import { parseDigest, type Digest } from './digest.ts';

export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly platform?: Platform;
}

/** `what` names the place for the error, for example `layers[2]`. Throws `oci/bad-descriptor`. */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  const object = expectObject(value, what);
  const { mediaType, size } = object;
  if (typeof mediaType !== 'string' || mediaType === '') throw bad(`${what}.mediaType is not a string`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw bad(`${what}.size is not a length in bytes`);
  }
  const annotations = parseAnnotations(object['annotations'], `${what}.annotations`);
  const platform = parsePlatform(object['platform'], `${what}.platform`);
  const artifactType = object['artifactType'];
  if (artifactType !== undefined && typeof artifactType !== 'string') {
    throw bad(`${what}.artifactType is not a string`);
  }
  return {
    mediaType,
    digest: parseDigest(object['digest'], `${what}.digest`),
    size,
    ...(annotations && { annotations }),
    ...(artifactType !== undefined && { artifactType }),
    ...(platform && { platform }),
  };
}

function parsePlatform(value: unknown, what: string): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  const { architecture, os, variant } = expectObject(value, what);
  if (typeof architecture !== 'string' || typeof os !== 'string')
    throw bad(`${what} lacks architecture or os`);
  return { architecture, os, ...(typeof variant === 'string' && variant !== '' && { variant }) };
}

/** Annotations and labels: an object of strings, or absent. */
export function optionalStrings(value: unknown, what: string): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const result: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, text] of Object.entries(expectObject(value, what))) {
    if (typeof text !== 'string') throw bad(`${what}[${JSON.stringify(key)}] is not a string`);
    result[key] = text;
  }
  return result;
}

/** Annotations whose value is a digest: of the image a child belongs to, and of the one it was made from. */
const DIGEST_ANNOTATIONS: readonly string[] = [
  'vnd.docker.reference.digest',
  'org.opencontainers.image.base.digest',
];

/** Digests in annotations are held to the same grammar as any other, so that nobody further on trusts a bad one. */
export function parseAnnotations(value: unknown, what: string): Readonly<Record<string, string>> | undefined {
  const annotations = optionalStrings(value, what);
  for (const key of DIGEST_ANNOTATIONS) {
    const digest = annotations?.[key];
    // buildah writes an empty one for an image that was made from nothing.
    if (digest !== undefined && digest !== '') parseDigest(digest, `${what}[${JSON.stringify(key)}]`);
  }
  return annotations;
}

export function expectObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`${what} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

function bad(message: string): BootsealError {
  return new BootsealError('oci/bad-descriptor', message, {
    hint: 'the image is damaged or not an OCI image; copy or build it again',
  });
}
