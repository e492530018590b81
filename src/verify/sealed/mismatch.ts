/** Why a seal is broken, as far as the image itself can tell: by the dump that sealing may have stored in it. */
import { diffTrees, pathText } from '../../composefs/diff.ts';
import { transformForEpoch, type Epoch } from '../../composefs/epochs.ts';
import { treeFromDump } from '../../composefs/from-dump.ts';
import { imageDigest } from '../../composefs/image.ts';
import { contentOf, lookup, sortedChildren, type Tree } from '../../composefs/tree.ts';
import { isBootsealError } from '../../errors.ts';
import { readDump } from '../../formats/composefs-dump/reader.ts';
import type { Step, StepDetail } from '../../steps.ts';

const SHOWN = 10;

type Explanation = Required<Pick<Step, 'code'>> & Pick<Step, 'details' | 'hint'>;

/**
 * The dump is believed only if it is the dump of the tree that the signed UKI names: nothing else vouches for it.
 */
export function explainMismatch(tree: Tree, promised: string, epoch: Epoch): Explanation {
  const dumps = storedDumps(tree);
  for (const text of dumps) {
    const sealed = dumpTreeOf(text, promised, epoch);
    if (sealed === undefined) continue;
    const { differences, total } = diffTrees(sealed, transformForEpoch(tree, epoch), SHOWN);
    const details: StepDetail[] = differences.map(({ path, changes }, at) => ({
      label: at === 0 ? 'changed' : '',
      value: `${pathText(path)} (${changes.map(pathText).join(', ')})`,
    }));
    if (total > SHOWN) details.push({ label: '', value: `… and ${total - SHOWN} more` });
    return { code: 'seal/changed-after-sealing', details };
  }
  if (dumps.length > 0) {
    const value = 'the UKI names another tree than the one this image was sealed with';
    return { code: 'seal/other-image', details: [{ label: 'cause', value }] };
  }
  return {
    code: 'seal/digest-mismatch',
    hint: 'to have the changed paths named, seal with --embed-dump',
  };
}

function storedDumps(tree: Tree): Uint8Array[] {
  const boot = lookup(tree, 'boot');
  if (boot?.kind !== 'directory') return [];
  return sortedChildren(boot)
    .filter(([name]) => name.endsWith('.efi.dump'))
    .map(([, node]) => contentOf(node))
    .filter((text) => text !== undefined);
}

function dumpTreeOf(text: Uint8Array, promised: string, epoch: Epoch): Tree | undefined {
  try {
    const tree = treeFromDump(readDump(text), epoch.algorithm);
    return imageDigest(tree, epoch) === promised ? tree : undefined;
  } catch (error) {
    if (isBootsealError(error)) return undefined;
    throw error;
  }
}
