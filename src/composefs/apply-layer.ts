/**
 * Applies the entries of one layer to a tree, by the rules of composefs-rs for OCI layers, which are stricter than
 * image-spec layer.md in one point (parents must exist) and looser in another: whiteouts act where they stand in
 * the stream, on entries of the same layer too.
 */
import { decodeLatin1, encodeLatin1 } from '../bytes/bytes.ts';
import { BootsealError, isBootsealError, withDetails } from '../errors.ts';
import type { TarEntry } from '../formats/tar/format.ts';
import { createTarReader, type TarHandler, type TarReader } from '../formats/tar/reader.ts';
import type { ContentHasher } from './content-hasher.ts';
import { findDirectory, findHardlinkTarget, shownPath, splitEntryPath } from './entry-path.ts';
import { createInlineStore } from './inline-store.ts';
import { MAX_LINK_TARGET, MAX_XATTR_NAME, MAX_XATTR_VALUE, type LayerLimits } from './limits.ts';
import { INLINE_MAX, makeDevice, type Leaf, type Stat, type Tree, type VerityDigests } from './tree.ts';

const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_WHITEOUT = '.wh..wh..opq';

const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

/** Counted over all layers of an image. */
export interface ImageUsage {
  entries: number;
  metadataBytes: number;
  capturedBytes: number;
}

export function noUsage(): ImageUsage {
  return { entries: 0, metadataBytes: 0, capturedBytes: 0 };
}

export interface ApplyOptions {
  readonly hasher: ContentHasher;
  readonly limits: LayerLimits;
  readonly usage: ImageUsage;
  /** True for regular files whose content is to be kept. The path has no leading slash. */
  readonly capture: (path: string, size: number) => boolean;
  /** For errors, such as `layer 3 (sha256:…)`. */
  readonly label: string;
}

/** External content under construction. */
interface GrowingContent {
  readonly kind: 'external';
  readonly size: number;
  readonly digests: VerityDigests;
  readonly entry: number;
  captured?: Uint8Array;
}

export function createLayerApplier(tree: Tree, options: ApplyOptions): TarReader {
  const { hasher, usage, limits, capture, label } = options;
  let inline: Uint8Array | undefined;
  let external: GrowingContent | undefined;
  let kept = new Uint8Array(0);
  let keep = false;
  let received = 0;
  const statOf = createStats();
  const inlines = createInlineStore();

  const handler: TarHandler = {
    entry(entry) {
      try {
        apply(entry);
      } catch (error) {
        throw isBootsealError(error)
          ? withDetails(error, { where: `${label}, ${shownPath(entry.path)}` })
          : error;
      }
    },
    data(bytes) {
      if (inline !== undefined) inline.set(bytes, received);
      else hasher.write(bytes);
      if (keep) keepBytes(bytes);
      received += bytes.length;
    },
    endOfFile() {
      if (external === undefined) return;
      hasher.endOfFile();
      if (keep) external.captured = kept.subarray(0, received);
      external = undefined;
      keep = false;
      kept = new Uint8Array(0);
    },
  };

  function apply(entry: TarEntry): void {
    const names = splitEntryPath(entry.path);
    checkEntry(entry);
    account(entry);
    inline = external = undefined;
    received = 0;

    // 1. The root has no parent: a directory entry sets its stat, anything else is refused.
    const name = names.pop();
    if (name === undefined) {
      if (entry.type !== 'directory')
        throw bad('layer/root-not-directory', 'the root of a layer is no directory');
      tree.root.stat = statOf(entry);
      return;
    }

    // 2. A hardlink's target is looked up before anything changes.
    const parent = findDirectory(tree, names);
    const leaf = entry.type === 'directory' ? undefined : makeLeaf(entry, [...names, name].join('/'));

    // 3. Whiteouts remove what is there now, whatever kind of entry they are.
    if (name === OPAQUE_WHITEOUT) {
      parent.children.clear();
    } else if (name.startsWith(WHITEOUT_PREFIX)) {
      parent.children.delete(name.slice(WHITEOUT_PREFIX.length));
    } else if (leaf !== undefined) {
      parent.children.set(ownString(name), leaf);
    } else {
      // 4. A directory over a directory changes its stat and keeps the children; anything else is replaced.
      const existing = parent.children.get(name);
      if (existing?.kind === 'directory') existing.stat = statOf(entry);
      else
        parent.children.set(ownString(name), { kind: 'directory', stat: statOf(entry), children: new Map() });
    }
  }

  function makeLeaf(entry: TarEntry, path: string): Leaf {
    switch (entry.type) {
      case 'hardlink':
        return findHardlinkTarget(tree, entry.linkTarget ?? '');
      case 'symlink':
        return { kind: 'symlink', stat: statOf(entry), target: ownString(entry.linkTarget ?? '') };
      case 'character':
      case 'block':
        return {
          kind: entry.type,
          stat: statOf(entry),
          rdev: makeDevice(entry.device?.major ?? 0, entry.device?.minor ?? 0),
        };
      case 'fifo':
        return { kind: 'fifo', stat: statOf(entry) };
      case 'file':
      case 'directory':
      default:
        return makeFile(entry, path);
    }
  }

  function makeFile(entry: TarEntry, path: string): Leaf {
    const size = entry.size ?? 0;
    if (size <= INLINE_MAX) {
      const content = inlines.add(size);
      inline = content.bytes;
      return { kind: 'regular', stat: statOf(entry), content };
    }
    keep = capture(path, size);
    if (keep) usage.capturedBytes += size;
    if (usage.capturedBytes > limits.capturedBytes) {
      throw bad(
        'layer/too-much-captured',
        `over ${limits.capturedBytes} bytes of files that are looked into`,
      );
    }
    external = { kind: 'external', size, digests: hasher.begin(), entry: usage.entries };
    return { kind: 'regular', stat: statOf(entry), content: external };
  }

  /** Grows by what has come, never by what the header claims. */
  function keepBytes(bytes: Uint8Array): void {
    const length = received + bytes.length;
    if (length > kept.length) {
      const larger = new Uint8Array(
        Math.min(external?.size ?? length, Math.max(2 * kept.length, length, 65536)),
      );
      larger.set(kept.subarray(0, received));
      kept = larger;
    }
    kept.set(bytes, received);
  }

  function account(entry: TarEntry): void {
    usage.entries += 1;
    usage.metadataBytes += entry.path.length + (entry.linkTarget?.length ?? 0);
    for (const [name, value] of entry.xattrs ?? []) usage.metadataBytes += name.length + value.length;
    if (usage.entries > limits.entries) throw bad('layer/too-many-entries', `over ${limits.entries} entries`);
    if (usage.metadataBytes > limits.metadataBytes) {
      throw bad(
        'layer/too-much-metadata',
        `over ${limits.metadataBytes} bytes of names and extended attributes`,
      );
    }
  }

  return createTarReader(handler);
}

/** Few files have metadata that no other has: those without attributes share it, as far as this remembers. */
function createStats(): (entry: TarEntry) => Stat {
  const recent: (Stat | undefined)[] = Array.from({ length: 1024 });
  return ({ mode: field, uid, gid, mtime, xattrs }) => {
    const mode = field & 0o7777;
    if (xattrs !== undefined) return { mode, uid, gid, mtime, xattrs };
    const { seconds, nanos } = mtime;
    const slot = (Math.imul(Number(seconds & 0xffffffn) ^ nanos, 31) + mode + uid * 7 + gid * 13) & 1023;
    const known = recent[slot];
    if (
      known?.mode === mode &&
      known.uid === uid &&
      known.gid === gid &&
      known.mtime.nanos === nanos &&
      known.mtime.seconds === seconds
    ) {
      return known;
    }
    return (recent[slot] = { mode, uid, gid, mtime, xattrs: NO_XATTRS });
  };
}

/** The same text: engines keep a part of a string as a view, and with it all of the string. */
function ownString(text: string): string {
  return text.length < MIN_VIEW ? text : decodeLatin1(encodeLatin1(text));
}

/** Shorter parts are copied. */
const MIN_VIEW = 13;

/** What no file system can hold, or not whole. composefs-rs would still give a digest for it. */
function checkEntry(entry: TarEntry): void {
  for (const [name, value] of entry.xattrs ?? []) {
    if (name.includes('\0') || name.length > MAX_XATTR_NAME || value.length > MAX_XATTR_VALUE) {
      throw bad(
        'layer/bad-xattr',
        `extended attribute with a name of ${name.length} and ${value.length} bytes`,
      );
    }
  }
  if (entry.type !== 'symlink') return;
  const target = entry.linkTarget ?? '';
  if (target === '' || target.length > MAX_LINK_TARGET || target.includes('\0')) {
    throw bad(
      'layer/bad-symlink',
      `symbolic link with a target of ${target.length} bytes that no kernel follows`,
    );
  }
}

function bad(code: `layer/${string}`, message: string): BootsealError {
  return new BootsealError(code, message);
}
