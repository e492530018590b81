/**
 * The tree that the UKI vouches for: the base image without loose kernel and initramfs, with systemd-boot as it will
 * be installed. The UKI itself is no part of it, since the boot transform empties /boot.
 */
import { digestOfTree, type Epoch } from '../composefs/epochs.ts';
import { applyLayer } from '../composefs/from-layers.ts';
import { lookup, type Tree } from '../composefs/tree.ts';
import type { SealBase } from './base.ts';
import { fileEntry, parentEntries, whiteout } from './entries.ts';
import { makeLayer, type LayerFile, type NewLayer } from './layer.ts';

export interface FinalTree {
  /** The layer that turns the base into this tree. */
  readonly layer: NewLayer;
  readonly tree: Tree;
  /** composefs digest of the tree, lower-case hexadecimal. */
  readonly digest: string;
}

/** `bootloader`: the signed systemd-boot that takes the place of the image's own. */
export async function finalTree(
  base: SealBase,
  bootloader: Uint8Array | undefined,
  epoch: Epoch,
): Promise<FinalTree> {
  const { tree, files, time } = base;
  const removed = [files.kernel.path, files.initramfs.path];
  const entries: LayerFile[] = removed.map((path) => whiteout(path, time));
  const changed = [...removed];
  if (bootloader !== undefined && files.bootloader !== undefined) {
    const { path } = files.bootloader;
    const node = lookup(tree, path);
    if (node !== undefined) entries.push(fileEntry(path, node.stat, [bootloader]));
    changed.push(path);
  }
  const layer = makeLayer(
    [...parentEntries(tree, changed, time), ...entries],
    'bootseal: remove loose kernel',
  );
  const final = await applyLayer(tree, layer.tar, { algorithms: [epoch.algorithm] });
  return { layer, tree: final, digest: digestOfTree(final, epoch) };
}
