/** The job behind `bootseal digest --from-uki`: by which rules was the digest in a UKI computed? */
import { digestOfTree, EPOCHS, type Epoch, type TreeSource } from '../composefs/epochs.ts';
import type { Tree } from '../composefs/tree.ts';
import { BootsealError, isBootsealError, withDetails } from '../errors.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { composefsKarg } from '../uki/cmdline.ts';
import { inspectUki, type UkiInfo } from '../uki/inspect.ts';
import type { ReadPorts } from './base.ts';
import { findUkis, type BootFile } from './boot-files.ts';
import { cmdlineOf } from './sealed-digest.ts';
import { BOTH_ALGORITHMS, readTreeInput, type TreeInput } from './tree-input.ts';

export interface FromUkiRequest {
  /** An image or a directory. */
  readonly input: Exclude<TreeInput, { kind: 'file' }>;
  /** Instead of those in the image's /boot/EFI/Linux. */
  readonly uki?: { readonly path: string; readonly bytes: Uint8Array };
}

/** One set of rules that was tried. */
export interface Candidate {
  readonly epoch: Epoch;
  /** As which kind of tree: an image may have been built with the digest of a directory. */
  readonly source: TreeSource;
  /** Absent where the rules refuse the tree. */
  readonly digest?: string;
}

export interface UkiMatch {
  /** Path in the image, or of the file. */
  readonly uki: string;
  /** What its command line names. */
  readonly promised: string;
  /** Written with `?`: nothing is sealed. */
  readonly optional: boolean;
  /** Rules that give that digest, those of the newest release first. Empty when none does. */
  readonly matches: readonly Candidate[];
}

export interface FromUkiResult {
  readonly image?: Digest;
  readonly ukis: readonly UkiMatch[];
  readonly candidates: readonly Candidate[];
}

/** Throws `digest/no-uki`, `seal/no-cmdline`, `seal/no-composefs-karg` (exit 1), and what reading throws. */
export async function matchUki(request: FromUkiRequest, ports: ReadPorts): Promise<FromUkiResult> {
  const { tree, from, image } = await readTreeInput(request.input, BOTH_ALGORITHMS, ports);
  const files: readonly BootFile[] = request.uki === undefined ? findUkis(tree) : [request.uki];
  if (files.length === 0) {
    throw new BootsealError('digest/no-uki', 'the image holds no UKI in /boot/EFI/Linux', {
      exit: 1,
      hint: 'give one with --uki FILE',
    });
  }
  const promises = files.map((file) => ({ uki: file.path, ...promiseOf(file) }));
  const source = from === 'directory' ? 'directory' : 'layers';
  const candidates = candidatesFor(source, new Set(promises.map(({ promised }) => promised.length))).map(
    (candidate) => withDigest(tree, candidate),
  );
  const ukis = promises.map((promise) => ({
    ...promise,
    matches: candidates.filter(({ digest }) => digest === promise.promised),
  }));
  return { ...(image !== undefined && { image }), ukis, candidates };
}

function promiseOf(file: BootFile): { promised: string; optional: boolean } {
  const karg = composefsKarg(cmdlineOf(inspectFile(file)));
  if (karg === undefined) {
    throw new BootsealError('seal/no-composefs-karg', 'the command line of the UKI has no composefs=', {
      where: file.path,
      exit: 1,
    });
  }
  return { promised: karg.digest, optional: karg.optional };
}

function inspectFile({ path, bytes }: BootFile): UkiInfo {
  try {
    return inspectUki(bytes);
  } catch (error) {
    throw isBootsealError(error) ? withDetails(error, { where: path }) : error;
  }
}

/** Named rules first, then those that only somebody who asked for them gets. */
function candidatesFor(source: TreeSource, lengths: ReadonlySet<number>): Candidate[] {
  const other: TreeSource = source === 'layers' ? 'directory' : 'layers';
  const epochs = EPOCHS.flatMap((epoch) =>
    (['sha512', 'sha256'] as const)
      .filter((algorithm) => lengths.has(algorithm === 'sha512' ? 128 : 64))
      .map((algorithm) => ({ ...epoch, algorithm })),
  );
  const order = [
    ...epochs.filter(({ bootc }) => bootc !== ''),
    ...epochs.filter(({ bootc }) => bootc === ''),
  ];
  return [
    ...order.map((epoch) => ({ epoch, source })),
    ...order
      .filter(({ xattrs, directoryXattrs }) => xattrs !== directoryXattrs)
      .map((epoch) => ({ epoch, source: other })),
    ...order.map((epoch) => ({
      epoch: {
        ...epoch,
        name: `${epoch.name} --xattrs keep-user`,
        xattrs: 'keep-user' as const,
        directoryXattrs: 'keep-user' as const,
      },
      source,
    })),
    ...order.map((epoch) => ({ epoch: { ...epoch, name: `${epoch.name} --plain`, boot: false }, source })),
  ];
}

function withDigest(tree: Tree, { epoch, source }: Candidate): Candidate {
  try {
    return { epoch, source, digest: digestOfTree(tree, epoch, source) };
  } catch (error) {
    if (isBootsealError(error)) return { epoch, source };
    throw error;
  }
}
