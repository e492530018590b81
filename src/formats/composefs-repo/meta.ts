/** `meta.json` of a composefs-rs repository: which digests it speaks, and what a program must know to touch it. */
import { array, looseObject, number, optional, safeParse, string } from 'valibot';
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type { VerityAlgorithm } from '../fsverity/format.ts';
import { parseJson } from '../oci/manifest.ts';

/** A few hundred bytes; a page of features would be another kind of repository. */
export const MAX_META_SIZE: number = 64 * 1024;
const VERSION = 1;

export type RepoImageVersion = 0 | 1 | 2;

export interface RepoMeta {
  readonly algorithm: VerityAlgorithm;
  /** Of the images that are made for it. */
  readonly imageVersion: RepoImageVersion;
  /** Features that forbid writing to whoever does not know them. */
  readonly readOnlyBecause: readonly string[];
}

const features = optional(array(string()));
const META = looseObject({
  version: number(),
  algorithm: string(),
  features: optional(
    looseObject({ compatible: features, 'read-only-compatible': features, incompatible: features }),
  ),
  erofs_formats: optional(looseObject({ default: number(), extra: optional(array(number())) })),
});

/** Present where images are V0 or V1: programs that know V2 only must not write. */
const V1_FEATURE = 'v1_erofs';

/** Throws `repo/bad-meta`, `repo/unsupported`. */
export function parseRepoMeta(bytes: Uint8Array): RepoMeta {
  if (bytes.length > MAX_META_SIZE) throw bad(`${bytes.length} bytes exceed ${MAX_META_SIZE}`);
  const parsed = safeParse(META, parseJson(bytes, 'meta.json'));
  if (!parsed.success) throw bad(parsed.issues[0].message);
  const { version, algorithm, features: flags, erofs_formats: formats } = parsed.output;
  if (version !== VERSION) throw unsupported(`version ${version}`);
  const incompatible = flags?.incompatible ?? [];
  if (incompatible.length > 0) throw unsupported(`features ${incompatible.join(', ')}`);
  const readOnly = flags?.['read-only-compatible'] ?? [];
  // Without the member, only the feature tells a repository of V1 images from an old one of V2.
  const imageVersion = formats?.default ?? (readOnly.includes(V1_FEATURE) ? 1 : 2);
  if (imageVersion !== 0 && imageVersion !== 1 && imageVersion !== 2) {
    throw unsupported(`images of version ${imageVersion}`);
  }
  return {
    algorithm: parseVerityName(algorithm),
    imageVersion,
    readOnlyBecause: readOnly.filter((feature) => feature !== V1_FEATURE),
  };
}

/** As composefs-rs writes it: two spaces, a newline at the end. */
export function encodeRepoMeta(meta: Pick<RepoMeta, 'algorithm' | 'imageVersion'>): Uint8Array {
  const document = {
    version: VERSION,
    algorithm: `fsverity-${meta.algorithm}-12`,
    features: {
      compatible: [],
      'read-only-compatible': meta.imageVersion === 1 ? [V1_FEATURE] : [],
      incompatible: [],
    },
    erofs_formats: { default: meta.imageVersion },
  };
  return encodeUtf8(`${JSON.stringify(document, null, 2)}\n`);
}

/** `fsverity-sha512-12`: only blocks of 4096 bytes are known. */
function parseVerityName(name: string): VerityAlgorithm {
  if (name === 'fsverity-sha256-12') return 'sha256';
  if (name === 'fsverity-sha512-12') return 'sha512';
  throw unsupported(`algorithm ${JSON.stringify(name)}`);
}

function bad(message: string): BootsealError {
  return new BootsealError('repo/bad-meta', `meta.json: ${message}`);
}

function unsupported(what: string): BootsealError {
  return new BootsealError('repo/unsupported', `this repository is of a kind not known here: ${what}`, {
    hint: 'a newer bootseal may know it',
  });
}
