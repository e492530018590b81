/** The dump text of the sealed tree, as bootc's installer and `verify --sealed` read it to name what differs. */
import type { Parts } from '../bytes/rope.ts';
import { dumpBytes } from '../composefs/dump.ts';
import { transformForEpoch, type Epoch } from '../composefs/epochs.ts';
import type { Tree } from '../composefs/tree.ts';

/** `tree` is that of the layers, without any transform. */
export function dumpOf(tree: Tree, epoch: Epoch): Parts {
  return dumpBytes(transformForEpoch(tree, epoch), epoch.algorithm);
}
