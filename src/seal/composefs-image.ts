/** composefs images of dump texts and of trees, as the mkcomposefs programs make them. */
import { encodeHex } from '../bytes/hex.ts';
import { rulesDiffer, type ImageRules } from '../composefs/image-rules.ts';
import { writePackedImage, type ImageVersion } from '../composefs/image.ts';
import { packDump } from '../composefs/pack-dump.ts';
import { packTree } from '../composefs/pack-tree.ts';
import type { PackedTree } from '../composefs/packed-tree.ts';
import type { Tree } from '../composefs/tree.ts';
import { hasWhiteout } from '../composefs/whiteouts.ts';
import { BootsealError } from '../errors.ts';
import { verityDigest } from '../formats/fsverity/digest.ts';
import type { VerityAlgorithm } from '../formats/fsverity/format.ts';

export interface ComposefsImageOptions {
  /** Of the contents and of the image; C knows SHA-256 only. */
  readonly algorithm: VerityAlgorithm;
  /** Whose image where the two programs differ; `strict` refuses what they make different images of. */
  readonly rules: ImageRules;
  /** The version of the format, 0 to 2. C takes a higher one up to `maxVersion` where the tree needs it. */
  readonly minVersion: number;
  readonly maxVersion: number;
}

export interface ComposefsImage {
  readonly bytes: Uint8Array;
  readonly version: ImageVersion;
  /** Lower-case hexadecimal. */
  readonly digest: string;
}

/**
 * An image of a dump text, read as it comes. Throws `dump/malformed`, `composefs/bad-dump`, `composefs/rules-differ`,
 * `composefs/hardlinked-whiteout`, `composefs/bad-version`, `erofs/…`, and what `text` throws.
 */
export async function imageFromDump(
  text: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ComposefsImageOptions,
): Promise<ComposefsImage> {
  checkVersions(options);
  const packer = packDump(options.algorithm, options.rules);
  for await (const piece of text) packer.push(piece);
  return makeImage(packer.finish(), options);
}

/** An image of a tree, which must hold digests of the algorithm. Throws as {@link imageFromDump} about trees. */
export function imageFromTree(tree: Tree, options: ComposefsImageOptions): ComposefsImage {
  checkVersions(options);
  return makeImage(packTree(tree, options.algorithm), options);
}

function makeImage(tree: PackedTree, options: ComposefsImageOptions): ComposefsImage {
  const version = chooseVersion(tree, options);
  const bytes = writePackedImage(tree, version, options.rules);
  return { bytes, version, digest: encodeHex(verityDigest(bytes, options.algorithm)) };
}

const VERSIONS: readonly ImageVersion[] = ['v0', 'v1', 'v2'];

function checkVersions({ minVersion, maxVersion, rules, algorithm }: ComposefsImageOptions): void {
  const highest = rules === 'c' ? 1 : 2;
  if (VERSIONS[minVersion] === undefined || minVersion > highest || maxVersion < minVersion) {
    throw new BootsealError(
      'composefs/bad-version',
      `no format from version ${minVersion} to ${maxVersion}`,
      { hint: `versions: 0 to ${highest}`, exit: 2 },
    );
  }
  if (rules === 'c' && algorithm !== 'sha256') {
    throw new BootsealError('composefs/bad-version', 'C mkcomposefs knows SHA-256 only', { exit: 2 });
  }
}

/** C raises version 0 to 1 for whiteouts, where it may; composefs-rs never does. */
function chooseVersion(
  tree: PackedTree,
  { minVersion, maxVersion, rules }: ComposefsImageOptions,
): ImageVersion {
  const raises = minVersion === 0 && maxVersion >= 1 && rules !== 'rust' && hasWhiteout(tree);
  if (raises && rules === 'strict') {
    throw rulesDiffer(
      'whiteouts in an image that may be of version 0 or 1: name one',
      '--min-version, --max-version',
    );
  }
  return VERSIONS[raises ? 1 : minVersion];
}
