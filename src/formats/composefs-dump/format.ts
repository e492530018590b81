/**
 * The composefs dump text, composefs-dump(5): one line a node, fields separated by single spaces.
 *
 *   PATH SIZE MODE NLINK UID GID RDEV MTIME PAYLOAD CONTENT DIGEST [KEY=VALUE …]
 *
 * MODE is octal with the file type. A hardlink's MODE starts with `@` and its PAYLOAD is the path of the target.
 * MTIME is `seconds.nanoseconds` and no decimal fraction: `1.5` is one second and five nanoseconds. An absent
 * field is `-`, and a literal `-` is `\x2d`. Other bytes outside `!`–`~`, and the backslash, are escaped.
 */

/** Type bits of MODE, as in stat(2). */
export const FILE_TYPE = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  regular: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

export type DumpKind = keyof typeof FILE_TYPE;

export interface DumpNode {
  readonly type: 'node';
  /** Absolute, as a binary string: one character a byte. */
  readonly path: string;
  readonly kind: DumpKind;
  /** Permission bits, 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly mtime: { readonly seconds: bigint; readonly nanos: number };
  /** Bytes; of a regular file or of a symlink's target. */
  readonly size: bigint;
  /** Object path of a regular file, or the target of a symlink. */
  readonly payload?: string;
  readonly content?: Uint8Array;
  /** fs-verity digest of the content, raw. */
  readonly digest?: Uint8Array;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export interface DumpHardlink {
  readonly type: 'hardlink';
  readonly path: string;
  readonly target: string;
}

export type DumpEntry = DumpNode | DumpHardlink;
