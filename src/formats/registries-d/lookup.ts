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
  /** Key, `namespace "quay.io/acme"` or `default-docker`, and the file; undefined for the built-in default. */
  readonly from?: { readonly key: string; readonly section: string; readonly file: string };
}

/** Off unless something says otherwise. `reference` is the physical one, after mirrors. */
export function useSigstoreAttachments(
  config: RegistriesConfig,
  reference: DockerReference,
): Setting<boolean> {
  const key = 'use-sigstore-attachments';
  return lookUp(config, reference, [[key, (section) => section.useSigstoreAttachments]]) ?? { value: false };
}

/** Base URL for reading simple signatures, if a file names one. `reference` is the physical one, after mirrors. */
export function lookasideBase(
  config: RegistriesConfig,
  reference: DockerReference,
): Setting<string> | undefined {
  return lookUp(config, reference, [
    ['lookaside', (section) => section.lookaside || undefined],
    ['sigstore', (section) => section.sigstore || undefined],
  ]);
}

/** Base URL for writing them. In one section staging comes first; a section without it is asked for its lookaside. */
export function lookasideStagingBase(
  config: RegistriesConfig,
  reference: DockerReference,
): Setting<string> | undefined {
  return lookUp(config, reference, [
    ['lookaside-staging', (section) => section.lookasideStaging || undefined],
    ['sigstore-staging', (section) => section.sigstoreStaging || undefined],
    ['lookaside', (section) => section.lookaside || undefined],
    ['sigstore', (section) => section.sigstore || undefined],
  ]);
}

type Pick<T> = readonly [key: string, value: (section: Section) => T | undefined];

/**
 * Each setting is looked up by itself, through identity, namespaces and default-docker, and the first section that
 * has it wins. The man page says that only the most specific section counts; the code, which is what runs, does this.
 */
function lookUp<T>(
  config: RegistriesConfig,
  reference: DockerReference,
  picks: readonly Pick<T>[],
): Setting<T> | undefined {
  const { identity, namespaces } = dockerScopes(reference);
  const sections = [identity, ...namespaces].map((namespace) => {
    return { section: `namespace ${JSON.stringify(namespace)}`, placed: config.docker.get(namespace) };
  });
  for (const { section, placed } of [
    ...sections,
    { section: 'default-docker', placed: config.defaultDocker },
  ]) {
    if (placed === undefined) continue;
    for (const [key, pick] of picks) {
      const value = pick(placed.section);
      if (value !== undefined) return { value, from: { key, section, file: placed.file } };
    }
  }
  return undefined;
}

function conflict(what: string, file: string, earlier: string): BootsealError {
  return new BootsealError(
    'registries-d/conflict',
    `Error parsing signature storage configuration: ${what} defined both in ${JSON.stringify(file)} and ${JSON.stringify(earlier)}`,
    { where: file, hint: 'keep one of the two sections' },
  );
}
