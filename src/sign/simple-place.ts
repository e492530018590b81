/** Where simple signatures of an image in a registry are kept: in the registry itself, or in a look-aside store. */
import { isBootsealError } from '../errors.ts';
import { parseStoredSignature, type RawSignature } from '../formats/cosign/signature.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { DockerReference } from '../formats/reference/docker-reference.ts';
import { NO_REGISTRIES_CONFIG, type RegistriesConfig } from '../formats/registries-d/config.ts';
import { lookasideStagingBase } from '../formats/registries-d/lookup.ts';
import type { ImageDestination, SimpleSignatures } from '../stores/image.ts';
import { defaultLookaside } from '../stores/lookaside/location.ts';
import { readLookaside } from '../stores/lookaside/read.ts';
import { appendToLookaside, probeLookaside } from '../stores/lookaside/write.ts';

export interface SimplePlace {
  /** Could signatures be written? Throws what writing would. */
  probe(digest: Digest): Promise<void>;
  /** Those that are there and can be read; what is none is left to who verifies. */
  read(digest: Digest): Promise<{ readonly place: string; readonly signatures: readonly RawSignature[] }>;
  /** Adds those that are not there yet. */
  append(digest: Digest, signatures: readonly Uint8Array[]): Promise<void>;
}

export interface SimplePlaceRequest {
  readonly registries?: RegistriesConfig;
  /** For the look-aside store where registries.d names none: it is in the home folder. */
  readonly env?: NodeJS.ProcessEnv;
}

export function simplePlace(
  repository: DockerReference,
  destination: Pick<ImageDestination, 'signatureExtension'>,
  { registries = NO_REGISTRIES_CONFIG, env = process.env }: SimplePlaceRequest,
): SimplePlace {
  const { signatureExtension: extension } = destination;
  if (extension !== undefined) {
    return {
      probe: () => Promise.resolve(),
      read: async (digest) => readable(await extension.read(digest)),
      append: (digest, signatures) => extension.append(digest, signatures),
    };
  }
  const base = lookasideStagingBase(registries, repository)?.value ?? defaultLookaside(env);
  const { path } = repository;
  return {
    probe: (digest) => probeLookaside(base, path, digest),
    read: async (digest) => readable(await readLookaside(base, path, digest, undefined)),
    async append(digest, signatures) {
      await appendToLookaside(base, path, digest, signatures);
    },
  };
}

function readable({ place, files }: SimpleSignatures): {
  readonly place: string;
  readonly signatures: readonly RawSignature[];
} {
  const signatures = files.flatMap(({ bytes }) => {
    try {
      return [parseStoredSignature(bytes)];
    } catch (error) {
      if (isBootsealError(error)) return [];
      throw error;
    }
  });
  return { place, signatures };
}
