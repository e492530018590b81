/**
 * The job behind `bootseal digest diff`: what differs between two trees, whether each epoch minds, and a likely cause.
 */
import { compareTrees, type CompareOptions, type Difference } from '../composefs/compare.ts';
import { createCauseFinder, type Cause } from '../composefs/diff-causes.ts';
import { EPOCHS, transformForEpoch, type Epoch } from '../composefs/epochs.ts';
import type { Tree } from '../composefs/tree.ts';
import { isBootsealError, type BootsealError } from '../errors.ts';
import type { ReadPorts } from './base.ts';
import { BOTH_ALGORITHMS, readTreeInput, type InputTree, type TreeInput } from './tree-input.ts';

export interface DigestDiffRequest {
  readonly left: TreeInput;
  readonly right: TreeInput;
  /**
   * Rules for a side without transform where the other is a dump or an image, which have been through it. Whether it
   * matters is told for all epochs where neither is.
   */
  readonly epoch: Epoch;
  /** Differing paths to give; all are counted. */
  readonly limit?: number;
  /** Also give differences that no epoch's digest holds, such as what lies in /boot. */
  readonly ignored?: boolean;
}

export interface EpochVerdict {
  readonly epoch: Epoch;
  /** Differences that are left by its rules; undefined where they refuse a side. */
  readonly differences?: number;
  readonly error?: BootsealError;
}

export interface FoundDifference extends Difference {
  /** Names of the epochs whose digest it changes. */
  readonly matters: readonly string[];
}

export interface DigestDiff {
  readonly left: Pick<InputTree, 'from' | 'image'>;
  readonly right: Pick<InputTree, 'from' | 'image'>;
  /** All paths of both sides. */
  readonly paths: number;
  readonly differingPaths: number;
  /** Of these, in what no digest holds. */
  readonly ignoredPaths: number;
  /** In the order of paths. */
  readonly differences: readonly FoundDifference[];
  readonly epochs: readonly EpochVerdict[];
  readonly causes: readonly Cause[];
}

/** Reads both sides, one after the other. Throws what reading them throws. */
export async function diffDigests(request: DigestDiffRequest, ports: ReadPorts): Promise<DigestDiff> {
  const left = await readTreeInput(request.left, algorithmsFor(request, request.right), ports);
  const right = await readTreeInput(request.right, algorithmsFor(request, request.left), ports);
  const { limit = Infinity, epoch } = request;

  // 1. Which differences each epoch minds, while only one pair of transformed trees is in memory.
  const raw = left.from !== 'final' && right.from !== 'final';
  const epochs = raw ? epochsToAsk(epoch) : [epoch];
  const matters = new Map<string, string[]>();
  const verdicts = epochs.map((candidate) => askEpoch(left, right, candidate, matters));

  // 2. The differences themselves: before any transform, or after it where one side has been through it. Where every
  //    epoch refuses a side, none can say what it minds.
  const [a, b] = raw ? [left.tree, right.tree] : [finalTree(left, epoch), finalTree(right, epoch)];
  const judged = raw && verdicts.some(({ differences }) => differences !== undefined);
  const found: FoundDifference[] = [];
  const finder = createCauseFinder();
  const changed = distinctPaths();
  const minded = distinctPaths();
  const given = distinctPaths();
  const report = (difference: Difference): void => {
    const names = matters.get(keyOf(difference)) ?? [];
    changed.add(difference.path);
    if (names.length > 0 || !judged) {
      minded.add(difference.path);
      finder.add(difference);
    } else if (request.ignored !== true) return;
    if (given.add(difference.path) <= limit) found.push({ ...difference, matters: names });
  };
  // Told of a raw tree even where no epoch minds.
  const paths = compareTrees(a, b, report, raw ? {} : optionsFor(epoch, left, right));
  return {
    left: described(left),
    right: described(right),
    paths,
    differingPaths: changed.count(),
    ignoredPaths: changed.count() - minded.count(),
    differences: found,
    epochs: verdicts,
    causes: finder.causes(),
  };
}

/** Counts paths that come in order, each several times in a row. */
function distinctPaths(): { add(path: string): number; count(): number } {
  let last: string | undefined;
  let count = 0;
  return {
    add(path) {
      if (path !== last) count += 1;
      last = path;
      return count;
    },
    count: () => count,
  };
}

/** A dump may hold digests of either hash, so whatever stands against a file gets both. */
function algorithmsFor({ epoch }: DigestDiffRequest, other: TreeInput): typeof BOTH_ALGORITHMS {
  return other.kind === 'file' ? BOTH_ALGORITHMS : [epoch.algorithm];
}

/** The one asked for, and all that have a name. */
function epochsToAsk(epoch: Epoch): Epoch[] {
  const { boot, algorithm } = epoch;
  const named = EPOCHS.map((known) => ({ ...known, boot, algorithm }));
  return named.some(({ name }) => name === epoch.name) ? named : [epoch, ...named];
}

/** Nanoseconds are no part of version 2. */
function optionsFor(epoch: Epoch, ...sides: readonly InputTree[]): CompareOptions {
  return { nanos: epoch.version !== 'v2' && sides.every(({ wholeSeconds }) => wholeSeconds !== true) };
}

function askEpoch(
  left: InputTree,
  right: InputTree,
  epoch: Epoch,
  matters: Map<string, string[]>,
): EpochVerdict {
  try {
    let differences = 0;
    const remember = (difference: Difference): void => {
      differences += 1;
      const key = keyOf(difference);
      const names = matters.get(key);
      if (names !== undefined) names.push(epoch.name);
      else matters.set(key, [epoch.name]);
    };
    compareTrees(finalTree(left, epoch), finalTree(right, epoch), remember, optionsFor(epoch, left, right));
    return { epoch, differences };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return { epoch, error };
  }
}

function finalTree({ tree, from }: InputTree, epoch: Epoch): Tree {
  return from === 'final' ? tree : transformForEpoch(tree, epoch, from);
}

function keyOf({ path, attribute }: Difference): string {
  return `${path}\0${attribute}`;
}

function described({ from, image }: InputTree): Pick<InputTree, 'from' | 'image'> {
  return { from, ...(image !== undefined && { image }) };
}
