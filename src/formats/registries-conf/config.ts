/** What registries.conf says, version 2: containers-registries.conf(5). */

/** A place to pull from. */
export interface Endpoint {
  /** `host[:port][/path]`; empty only for a wildcard prefix, and then the name stays as it is. */
  readonly location: string;
  /** Any certificate, and plain HTTP, will do. */
  readonly insecure: boolean;
  /** URL of a forward proxy, or empty. */
  readonly proxy: string;
}

export type PullFromMirror = 'all' | 'digest-only' | 'tag-only';

export interface Mirror extends Endpoint {
  readonly pullFromMirror: PullFromMirror;
}

export interface Registry extends Endpoint {
  /** Never empty: the location where the file gave none. `*.example.com` matches every host below. */
  readonly prefix: string;
  readonly mirrors: readonly Mirror[];
  readonly blocked: boolean;
  readonly mirrorByDigestOnly: boolean;
}

export type ShortNameMode = 'disabled' | 'enforcing' | 'permissive';

/** One file. What is left out says nothing, and an earlier file's word stands. */
export interface RegistriesConfFile {
  /** As it appears in errors. */
  readonly file: string;
  /** Sorted by prefix; the first of several with one prefix. */
  readonly registries: readonly Registry[];
  /** Hosts to try for short names. Read and checked only: `docker://` has no short names. */
  readonly unqualifiedSearch?: readonly string[];
  readonly credentialHelpers?: readonly string[];
  readonly shortNameMode?: ShortNameMode;
  /** Short name to image name. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** All files together. */
export interface RegistriesConf {
  readonly registries: readonly Registry[];
  /** Asked in this order; {@link AUTH_FILES} means the files of containers-auth.json(5). */
  readonly credentialHelpers: readonly string[];
  readonly unqualifiedSearch: readonly string[];
  /** Files that were read, for messages. */
  readonly files: readonly string[];
}

export const AUTH_FILES = 'containers-auth.json';

export const NO_REGISTRIES_CONF: RegistriesConf = {
  registries: [],
  credentialHelpers: [AUTH_FILES],
  unqualifiedSearch: [],
  files: [],
};
