/** The path of a node, for messages. */
import { decodeLatin1 } from '../bytes/bytes.ts';
import type { NodeTable } from '../formats/erofs/node-table.ts';
import { shownPath } from './entry-path.ts';

/** For people: UTF-8 where it is, absolute. */
export function nodePath({ names, arena }: NodeTable, node: number): string {
  const parts: string[] = [];
  for (let at = node; at > 0; at = names.tags[at]) {
    const from = names.at[at];
    parts.push(decodeLatin1(arena.bytes.subarray(from, from + names.lengths[at])));
  }
  return shownPath(`/${parts.toReversed().join('/')}`);
}
