/** What the files of registries.d say: containers-registries.d(5). */

/** Bytes. Upstream has no limit; the largest published files are a few kilobytes. */
export const MAX_REGISTRIES_FILE_SIZE: number = 1024 * 1024;

export interface Section {
  /** Base URLs; an empty text says nothing and the next section is asked. */
  readonly lookaside: string;
  readonly lookasideStaging: string;
  /** The older names of the two. */
  readonly sigstore: string;
  readonly sigstoreStaging: string;
  readonly useSigstoreAttachments?: boolean;
}

export interface RegistriesFile {
  /** As it appears in errors and explanations. */
  readonly file: string;
  readonly defaultDocker?: Section;
  readonly docker: ReadonlyMap<string, Section>;
}

export interface Placed {
  readonly section: Section;
  readonly file: string;
}

/** Every file of the directory together. */
export interface RegistriesConfig {
  readonly defaultDocker?: Placed;
  readonly docker: ReadonlyMap<string, Placed>;
}

export const NO_REGISTRIES_CONFIG: RegistriesConfig = { docker: new Map() };
