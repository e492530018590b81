/** The layer that holds the UKI. composefs does not see it: the boot transform empties /boot. */
import { partsLength, type Parts } from '../bytes/rope.ts';
import { lookup } from '../composefs/tree.ts';
import type { SealBase } from './base.ts';
import { UKI_FOLDER } from './boot-files.ts';
import { fileEntry, parentEntries } from './entries.ts';
import { makeLayer, type NewLayer } from './layer.ts';

export interface BootLayer {
  readonly layer: NewLayer;
  /** Without leading slash. */
  readonly path: string;
  readonly size: number;
}

/** `dump`: the text of the tree that the UKI vouches for, stored as bootc looks for it. */
export function bootLayer(base: SealBase, uki: Parts, dump?: Parts): BootLayer {
  const { tree, files, time } = base;
  const kernel = lookup(tree, files.kernel.path);
  const stat = { mode: 0o644, uid: 0, gid: 0, mtime: kernel?.stat.mtime ?? time, xattrs: new Map() };
  const name = Buffer.from(`${files.version}.efi`, 'utf8').toString('latin1');
  const path = `${UKI_FOLDER}/${name}`;
  const entries = [...parentEntries(tree, [path], time), fileEntry(path, stat, uki)];
  if (dump !== undefined) entries.push(fileEntry(dumpPath(name), stat, dump));
  return { layer: makeLayer(entries, 'bootseal: add the UKI'), path, size: partsLength(uki) };
}

/** Where bootc's installer looks for the dump of a UKI, to say what differs. */
export function dumpPath(ukiName: string): string {
  return `boot/${ukiName}.dump`;
}
