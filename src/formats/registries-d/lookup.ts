/** All files together, and what they say for one image. */
import { BootsealError } from '../../errors.ts';
import type { DockerReference } from '../reference/docker-reference.ts';
import { dockerScopes } from '../reference/docker-scopes.ts';
import type { Placed, RegistriesConfig, RegistriesFile, Section } from './config.ts';

/**
 * Files in the order of their names. A namespace or a default in two files is an error even when their settings
 * do not touch, because upstream says so. Throws `registries-d/conflict`.
 */
export function mergeRegistriesFiles(files: readonly RegistriesFile[]): RegistriesConfig {
  let defaultDocker: Placed | undefined;
  const docker = new Map<string, Placed>();
  for (const { file, defaultDocker: own, docker: namespaces } of files) {
    if (own !== undefined) {
      if (defaultDocker !== undefined) throw conflict('"default-docker"', file, defaultDocker.file);
      defaultDocker = { section: own, file };
    }
    for (const [namespace, section] of namespaces) {
      const earlier = docker.get(namespace);
      if (earlier !== undefined)
        throw conflict(`"docker" namespace ${JSON.stringify(namespace)}`, file, earlier.file);
      docker.set(namespace, { section, file });
    }
  }
  return { ...(defaultDocker && { defaultDocker }), docker };
}

export interface Setting<T> {
  readonly value: T;
  /** `namespace "quay.io/acme"` or `default-docker`, and the file; undefined for the built-in default. */
  readonly from?: { readonly section: string; readonly file: string };
}

/** Off unless something says otherwise. `reference` is the physical one, after mirrors. */
export function useSigstoreAttachments(
  config: RegistriesConfig,
  reference: DockerReference,
): Setting<boolean> {
  return lookUp(config, reference, (section) => section.useSigstoreAttachments) ?? { value: false };
}

/** Base URL for reading simple signatures, if a file names one. */
export function lookasideBase(
  config: RegistriesConfig,
  reference: DockerReference,
): Setting<string> | undefined {
  return lookUp(config, reference, (section) => section.lookaside || section.sigstore || undefined);
}

/**
 * Each setting is looked up by itself, through identity, namespaces and default-docker, and the first section that
 * has it wins. The man page says that only the most specific section counts; the code, which is what runs, does this.
 */
function lookUp<T>(
  config: RegistriesConfig,
  reference: DockerReference,
  pick: (section: Section) => T | undefined,
): Setting<T> | undefined {
  const { identity, namespaces } = dockerScopes(reference);
  for (const namespace of [identity, ...namespaces]) {
    const placed = config.docker.get(namespace);
    const value = placed && pick(placed.section);
    if (placed !== undefined && value !== undefined) {
      return { value, from: { section: `namespace ${JSON.stringify(namespace)}`, file: placed.file } };
    }
  }
  const placed = config.defaultDocker;
  const value = placed && pick(placed.section);
  if (placed === undefined || value === undefined) return undefined;
  return { value, from: { section: 'default-docker', file: placed.file } };
}

function conflict(what: string, file: string, earlier: string): BootsealError {
  return new BootsealError(
    'registries-d/conflict',
    `Error parsing signature storage configuration: ${what} defined both in ${JSON.stringify(file)} and ${JSON.stringify(earlier)}`,
    { where: file, hint: 'keep one of the two sections' },
  );
}
