/**
 * Directory to tree, as bootc walks one: every entry as lstat(2) gives it, nanoseconds included, all extended
 * attributes, hardlinks by device and inode whatever the link count says. Nothing is read into memory whole.
 */
import { BootsealError } from '../errors.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';
import { createContentHasher, type ContentHasher } from './content-hasher.ts';
import { shownPath } from './entry-path.ts';
import { DEFAULT_LIMITS, MAX_XATTR_NAME, MAX_XATTR_VALUE, type LayerLimits } from './limits.ts';
import type { DirectorySource, FoundEntry, HashPool } from './ports.ts';
import { neededByTransform } from './transform.ts';
import {
  emptyTree,
  INLINE_MAX,
  makeDevice,
  type Directory,
  type Leaf,
  type RegularContent,
  type Stat,
  type Tree,
  type VerityDigests,
} from './tree.ts';

export interface FromDirectoryOptions {
  readonly algorithms: readonly VerityAlgorithm[];
  /** Opened once it is known how many bytes there are to hash, and closed at the end. */
  readonly openHashPool: (bytes: number) => HashPool;
  /** Says which file contents to keep in memory, by path without leading slash. Files up to 64 bytes always are. */
  readonly capture?: (path: string, size: number) => boolean;
  readonly limits?: Partial<LayerLimits>;
  /** Bytes of files read so far, and how many there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

type Xattrs = ReadonlyMap<string, Uint8Array>;
const NO_XATTRS: Xattrs = new Map();

/** How often others in this thread get a turn, in milliseconds. */
const TURN = 50;

/**
 * The tree, without any transform. Throws `tree/unreadable`, `tree/changed` and what else the source throws;
 * `tree/too-large`, `tree/too-many-entries`, `tree/too-much-metadata`, `tree/bad-xattr`.
 */
export async function treeFromDirectory(
  source: DirectorySource,
  options: FromDirectoryOptions,
): Promise<Tree> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  // 1. Is it worth beginning? Sparse files count in full: their zeros are hashed like anything else.
  const { entries, bytes } = source.survey();
  if (entries > limits.entries) throw tooMuch('tree/too-many-entries', `over ${limits.entries} entries`);
  if (bytes > limits.plainBytes) {
    throw tooMuch('tree/too-large', `files of ${bytes} bytes in all, over ${limits.plainBytes}`);
  }
  // 2. Attributes.
  let metadata = 0;
  const account = (more: number): void => {
    metadata += more;
    if (metadata > limits.metadataBytes) {
      throw tooMuch(
        'tree/too-much-metadata',
        `over ${limits.metadataBytes} bytes of names and extended attributes`,
      );
    }
  };
  const xattrs = new Map<string, Xattrs>();
  await source.xattrs((path, found) => {
    for (const [name, value] of found) {
      checkXattr(path, name, value);
      account(name.length + value.length);
    }
    xattrs.set(path, found);
  });
  // 3. Everything else.
  const pool = options.openHashPool(bytes);
  try {
    return await build(source, { ...options, limits, pool, xattrs, account, bytes });
  } finally {
    await pool.close();
  }
}

interface BuildOptions extends Omit<FromDirectoryOptions, 'limits'> {
  readonly limits: LayerLimits;
  readonly pool: HashPool;
  readonly xattrs: Map<string, Xattrs>;
  readonly account: (bytes: number) => void;
  /** Of all files. */
  readonly bytes: number;
}

async function build(source: DirectorySource, options: BuildOptions): Promise<Tree> {
  const { pool, xattrs, account } = options;
  const tree = emptyTree();
  const hasher = createContentHasher(pool);
  const leaves = new Map<string, Leaf>();
  /** The directories that lead to the current entry, the root first. */
  const chain: { readonly directory: Directory; readonly path: string }[] = [
    { directory: tree.root, path: '' },
  ];
  const reader = createFileReader(hasher, options);

  for (const entry of source.walk()) {
    const stat = statOf(entry, xattrs.get(entry.path) ?? NO_XATTRS);
    xattrs.delete(entry.path);
    account(entry.path.length + (entry.target?.length ?? 0));
    if (entry.path === '') {
      tree.root.stat = stat;
      continue;
    }
    const slash = entry.path.lastIndexOf('/');
    const folder = slash < 0 ? '' : entry.path.slice(0, slash);
    while (chain.at(-1)!.path !== folder) chain.pop();
    const { children } = chain.at(-1)!.directory;
    const name = entry.path.slice(slash + 1);
    if (entry.kind === 'directory') {
      const directory: Directory = { kind: 'directory', stat, children: new Map() };
      children.set(name, directory);
      chain.push({ directory, path: entry.path });
      continue;
    }
    let leaf = leaves.get(entry.inode);
    if (leaf === undefined) {
      leaf = makeLeaf(entry, stat, entry.kind === 'regular' ? await reader.read(entry) : undefined);
      leaves.set(entry.inode, leaf);
    }
    children.set(name, leaf);
  }
  const [left] = xattrs.keys();
  if (left !== undefined) {
    throw new BootsealError('tree/changed', 'disappeared while the tree was read', {
      where: shownPath(left),
    });
  }
  await hasher.finish();
  return tree;
}

function makeLeaf(entry: FoundEntry, stat: Stat, content: RegularContent | undefined): Leaf {
  if (content !== undefined) return { kind: 'regular', stat, content };
  switch (entry.kind) {
    case 'symlink':
      return { kind: 'symlink', stat, target: entry.target ?? '' };
    case 'character':
    case 'block':
      return { kind: entry.kind, stat, rdev: makeDevice(entry.device?.major ?? 0, entry.device?.minor ?? 0) };
    case 'socket':
      return { kind: 'socket', stat };
    case 'fifo':
    case 'regular':
    case 'directory':
    default:
      return { kind: 'fifo', stat };
  }
}

function createFileReader(
  hasher: ContentHasher,
  { pool, limits, capture, onProgress, bytes }: BuildOptions,
): { read(entry: FoundEntry): Promise<RegularContent> } {
  let captured = 0;
  let done = 0;
  let lastTurn = performance.now();

  async function* pieces(entry: FoundEntry): AsyncGenerator<Uint8Array, void, undefined> {
    for (const piece of entry.content?.() ?? []) {
      done += piece.length;
      const waiting = pool.ready();
      if (waiting !== undefined) await waiting;
      yield piece;
      if (performance.now() - lastTurn < TURN) continue;
      onProgress?.(done, bytes);
      await new Promise((resolve) => setImmediate(resolve));
      lastTurn = performance.now();
    }
  }

  return {
    async read(entry) {
      const { size, path } = entry;
      const keep = size <= INLINE_MAX || neededByTransform(path, size) || (capture?.(path, size) ?? false);
      if (keep) captured += size;
      if (captured > limits.capturedBytes) {
        throw tooMuch(
          'tree/too-much-captured',
          `over ${limits.capturedBytes} bytes of files that are looked into`,
        );
      }
      const kept = keep ? new Uint8Array(size) : undefined;
      const digests: VerityDigests = size > INLINE_MAX ? hasher.begin() : {};
      let at = 0;
      for await (const piece of pieces(entry)) {
        kept?.set(piece, at);
        at += piece.length;
        if (size > INLINE_MAX) hasher.write(piece);
      }
      if (size <= INLINE_MAX) return { kind: 'inline', bytes: kept ?? new Uint8Array(0) };
      hasher.endOfFile();
      return { kind: 'external', size, digests, ...(kept && { captured: kept }) };
    },
  };
}

function statOf({ mode, uid, gid, mtime }: FoundEntry, xattrs: Xattrs): Stat {
  return { mode, uid, gid, mtime, xattrs };
}

/** What a kernel may hold and the image format cannot. */
function checkXattr(path: string, name: string, value: Uint8Array): void {
  if (name.length <= MAX_XATTR_NAME && value.length <= MAX_XATTR_VALUE) return;
  throw new BootsealError(
    'tree/bad-xattr',
    `extended attribute with a name of ${name.length} and ${value.length} bytes`,
    { where: shownPath(path) },
  );
}

function tooMuch(code: `tree/${string}`, message: string): BootsealError {
  return new BootsealError(code, message);
}
