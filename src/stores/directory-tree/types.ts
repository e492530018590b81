/** A directory of this machine as the root of an image: what lstat(2) says of each entry, and how to read it. */

export type FoundKind = 'directory' | 'regular' | 'symlink' | 'character' | 'block' | 'fifo' | 'socket';

export interface FoundEntry {
  /** Without leading slash, one character a byte. `''` is the root. */
  readonly path: string;
  readonly kind: FoundKind;
  /** Permission bits, 0–07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: { readonly seconds: bigint; readonly nanos: number };
  /** Device and inode number: entries with the same one are names of one file. */
  readonly inode: string;
  /** Bytes of a regular file. */
  readonly size: number;
  /** Of a symbolic link, one character a byte. */
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  /**
   * The bytes of a regular file, exactly `size` of them. Each piece is valid until the next is asked for. Throws
   * `tree/changed`, `tree/unreadable`.
   */
  readonly content?: () => Iterable<Uint8Array>;
}

export interface DirectorySurvey {
  readonly entries: number;
  /** Of all regular files, hardlinked ones once for each name. */
  readonly bytes: number;
}

/** The methods are called once each, in this order. */
export interface DirectorySource {
  /**
   * Looks at everything and reads nothing. Throws `tree/unreadable` with all that this user may not read, so that
   * nobody waits for the first.
   */
  survey(): DirectorySurvey;
  /** Extended attributes of those entries that have any. */
  xattrs(onFile: (path: string, xattrs: ReadonlyMap<string, Uint8Array>) => void): Promise<void>;
  /**
   * Depth first, names in byte order, a directory before its children. Throws `tree/changed` for anything that is
   * not as it was in the survey.
   */
  walk(): Iterable<FoundEntry>;
  close(): void;
}
