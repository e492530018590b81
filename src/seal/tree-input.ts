/** Whatever holds a tree, read: an image, a directory, a dump, an EROFS image, a UKI with its dump beside it. */
import { treeFromDirectory } from '../composefs/from-directory.ts';
import { treeFromDump } from '../composefs/from-dump.ts';
import { algorithmOfImage, treeFromImage } from '../composefs/from-image.ts';
import { EPOCHS, type TreeSource } from '../composefs/epochs.ts';
import { imageDigest } from '../composefs/image.ts';
import type { Tree } from '../composefs/tree.ts';
import { BootsealError } from '../errors.ts';
import { readDump } from '../formats/composefs-dump/reader.ts';
import { SUPERBLOCK } from '../formats/erofs/format.ts';
import { readErofs } from '../formats/erofs/reader.ts';
import { VERITY_DIGEST_SIZE, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { openDirectoryTree } from '../stores/directory-tree/open.ts';
import { openHashPool } from '../stores/hash-pool/pool.ts';
import type { ImageSource } from '../stores/image.ts';
import { loadImage } from '../stores/load-image.ts';
import { inspectUki } from '../uki/inspect.ts';
import { readTree, type ReadPorts } from './base.ts';
import { neededForSealing } from './boot-files.ts';
import { sealedDigest } from './sealed-digest.ts';

export type TreeInput =
  | { readonly kind: 'image'; readonly source: ImageSource; readonly platform?: Platform }
  | { readonly kind: 'directory'; readonly path: string }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly bytes: Uint8Array;
      /** The file `PATH.dump` beside a UKI. */
      readonly dump?: Uint8Array;
    };

export interface InputTree {
  readonly tree: Tree;
  /** `final`: a tree as it is in an image, which no rules are to change any more. */
  readonly from: TreeSource | 'final';
  /** Digests of contents that the tree holds. */
  readonly algorithms: readonly VerityAlgorithm[];
  /** Nanoseconds were lost: an image of version 2 does not hold them. */
  readonly wholeSeconds?: true;
  /** Manifest digest, where it was an image. */
  readonly image?: Digest;
}

export const BOTH_ALGORITHMS: readonly VerityAlgorithm[] = ['sha512', 'sha256'];

/**
 * Images and directories get digests of `algorithms`; files hold what they hold. Throws what their readers throw, and
 * `digest/unknown-file`, `digest/no-dump`, `digest/other-dump`.
 */
export async function readTreeInput(
  input: TreeInput,
  algorithms: readonly VerityAlgorithm[],
  ports: ReadPorts,
): Promise<InputTree> {
  switch (input.kind) {
    case 'image': {
      const image = await loadImage(input.source, input.platform);
      const tree = await readTree(image, algorithms, ports);
      return { tree, from: 'layers', algorithms, image: image.instance.digest };
    }
    case 'directory': {
      const tree = await readDirectoryTree(input.path, algorithms, ports, neededForSealing);
      return { tree, from: 'directory', algorithms };
    }
    case 'file':
    default:
      return readFileTree(input);
  }
}

export async function readDirectoryTree(
  path: string,
  algorithms: readonly VerityAlgorithm[],
  { signal, onProgress }: Pick<ReadPorts, 'signal' | 'onProgress'>,
  capture?: (path: string, size: number) => boolean,
): Promise<Tree> {
  const source = openDirectoryTree(path, signal && { signal });
  try {
    return await treeFromDirectory(source, {
      algorithms,
      openHashPool: (expectedBytes) => openHashPool(algorithms, { expectedBytes }),
      ...(onProgress && { onProgress }),
      ...(capture && { capture }),
    });
  } finally {
    source.close();
  }
}

const PE_MAGIC = 0x5a4d;
const DUMP_START = '/ ';

function readFileTree({ path, bytes, dump }: Extract<TreeInput, { kind: 'file' }>): InputTree {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 2));
  if (start.length === 2 && start.readUInt16LE(0) === PE_MAGIC) return dumpOfUki(path, bytes, dump);
  if (start.toString('latin1') === DUMP_START) return dumpTree(bytes);
  if (isErofs(bytes)) {
    const image = readErofs(bytes);
    const tree = treeFromImage(image);
    const algorithms = [algorithmOfImage(image)];
    return { tree, from: 'final', algorithms, ...(image.version === 2 && { wholeSeconds: true }) };
  }
  throw new BootsealError('digest/unknown-file', 'neither a dump nor an EROFS image nor a UKI', {
    where: path,
  });
}

function isErofs(bytes: Uint8Array): boolean {
  const { offset, magic } = SUPERBLOCK;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return bytes.length >= offset + 4 && view.getUint32(offset, true) === magic;
}

function dumpTree(text: Uint8Array): InputTree {
  const algorithm = algorithmOf(text);
  return { tree: treeFromDump(readDump(text), algorithm), from: 'final', algorithms: [algorithm] };
}

/** A dump does not say which hash its digests are of; their length does. */
function algorithmOf(text: Uint8Array): VerityAlgorithm {
  for (const entry of readDump(text)) {
    if (entry.type !== 'node' || entry.digest === undefined) continue;
    return entry.digest.length === VERITY_DIGEST_SIZE.sha256 ? 'sha256' : 'sha512';
  }
  return 'sha512';
}

/** Nothing vouches for the dump but that it gives the digest on the command line. */
function dumpOfUki(path: string, uki: Uint8Array, text: Uint8Array | undefined): InputTree {
  const promised = sealedDigest(inspectUki(uki));
  if (text === undefined) {
    throw new BootsealError('digest/no-dump', `the UKI names ${promised} and says no more about its tree`, {
      where: path,
      hint: `put the dump that was made with it (seal --embed-dump, digest --dump) at ${path}.dump`,
    });
  }
  const result = dumpTree(text);
  const [algorithm] = result.algorithms;
  const versions = new Set(EPOCHS.map(({ version }) => version));
  if (![...versions].some((version) => imageDigest(result.tree, { version, algorithm }) === promised)) {
    throw new BootsealError(
      'digest/other-dump',
      `it is not the dump of the tree that the UKI names, ${promised}`,
      {
        where: `${path}.dump`,
        exit: 1,
      },
    );
  }
  return result;
}
