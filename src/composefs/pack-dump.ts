/** Columns straight from a dump text as it arrives: nothing is kept of the text. */
import { addEntry, addToArena, createByteTable, findEntry } from '../bytes/byte-table.ts';
import { BootsealError } from '../errors.ts';
import { createDumpParser, type DumpParser } from '../formats/composefs-dump/parser.ts';
import { isObjectPath, type DumpRow } from '../formats/composefs-dump/row.ts';
import { LINE_RULES, type DumpRules } from '../formats/composefs-dump/rules.ts';
import { readXattrs } from '../formats/composefs-dump/xattrs.ts';
import { FILE_TYPES } from '../formats/erofs/format.ts';
import { setContent, setExternal, setStat, TYPE_BITS } from '../formats/erofs/node-table.ts';
import { VERITY_DIGEST_SIZE, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import { rulesDiffer } from './image-rules.ts';
import { isDirectory } from './number-nodes.ts';
import {
  addNode,
  addXattrSet,
  createPackedTree,
  NONE,
  setEmptyMetacopy,
  setMetacopy,
  setRedirect,
  setRedirectToDigest,
  type PackedTree,
} from './packed-tree.ts';

export interface DumpPacker extends Omit<DumpParser, 'finish'> {
  /** The tree, after the last bytes. */
  finish(): PackedTree;
}

const SLASH = 0x2f;

/**
 * `algorithm` is that of the digests in the text, and of the image. Throws `dump/malformed`, `composefs/bad-dump` and,
 * by strict rules, `composefs/rules-differ`.
 */
export function packDump(algorithm: VerityAlgorithm, rules: DumpRules): DumpPacker {
  const tree = createPackedTree(algorithm);
  const findParent = createParentFinder(tree);
  const readSet = createSetReader(tree, rules);
  /** Hardlinks whose targets may still come: node, then where its target's path is in the arena, and how long. */
  const open: [node: number, at: number, length: number, line: number][] = [];

  function addRow(row: DumpRow, line: number): void {
    const { bytes, start, end } = row.path;
    const root = end - start === 1 && bytes[start] === SLASH;
    if (root) {
      addRoot(row, line);
      return;
    }
    // 1. The place of its name.
    let name = end;
    while (name > start && bytes[name - 1] !== SLASH) name--;
    const parent = findParent(bytes, start, Math.max(name - 1, start));
    if (parent === NONE) throw bad(line, 'its directory is not there');
    if (!isDirectory(tree, parent) || tree.link[parent] !== NONE)
      throw bad(line, 'its parent is no directory');
    const before = tree.nodes.names.count;
    const node = addNode(tree, parent, bytes, name, end);
    if (node < before) throw bad(line, 'a path that is there already');
    // 2. A hardlink, or what it is.
    if (row.hardlink) addLink(row, node, line);
    else fillNode(row, node, line);
  }

  function addRoot(row: DumpRow, line: number): void {
    const first = tree.nodes.names.count === 0;
    if (!first && rules !== 'rust') throw bad(line, 'a path that is there already');
    const node = first ? addNode(tree, NONE, row.path.bytes, 0, 0) : 0;
    fillNode(row, node, line);
    tree.nodes.mode[node] = FILE_TYPES.directory.mode | (row.mode & ~TYPE_BITS);
    tree.metacopy[node] = tree.redirect[node] = NONE;
  }

  function addLink({ payload }: DumpRow, node: number, line: number): void {
    tree.hardlinks += 1;
    if (rules === 'c') {
      const at = addToArena(tree.nodes.arena, payload.bytes, payload.start, payload.end);
      open.push([node, at, payload.end - payload.start, line]);
      return;
    }
    const target = findNode(tree, payload.bytes, payload.start, payload.end);
    if (target === NONE || target === node) throw bad(line, 'a hardlink to a file that is not there');
    if (isDirectory(tree, target)) throw bad(line, 'a hardlink to a directory');
    tree.link[node] = tree.link[target] === NONE ? target : tree.link[target];
  }

  function fillNode(row: DumpRow, node: number, line: number): void {
    setStat(tree.nodes, node, row);
    tree.xattrSet[node] = readSet(row, line);
    const type = row.mode & TYPE_BITS;
    if (type === FILE_TYPES.symlink.mode) {
      setContent(tree.nodes, node, row.payload.bytes, row.payload.start, row.payload.end);
    } else if (type === FILE_TYPES.character.mode || type === FILE_TYPES.block.mode) {
      tree.nodes.size[node] = row.rdev;
    } else if (type === FILE_TYPES.regular.mode) {
      fillContent(row, node, line);
    }
  }

  function fillContent(row: DumpRow, node: number, line: number): void {
    const { content, payload, size, digest, digestLength } = row;
    if (content.present) {
      setContent(tree.nodes, node, content.bytes, content.start, content.end);
      return;
    }
    const external = rules === 'c' ? size > 0 : size > 0 || payload.present;
    if (!external) {
      setContent(tree.nodes, node, payload.bytes, 0, 0);
      return;
    }
    if (rules === 'strict' && size === 0) {
      throw rulesDiffer('a payload of an empty file', `line ${line}`);
    }
    setExternal(tree.nodes, node, size);
    if (digestLength === 0) {
      setEmptyMetacopy(tree, node);
    } else if (digestLength !== VERITY_DIGEST_SIZE[algorithm]) {
      throw bad(line, `a digest of ${digestLength} bytes is no ${algorithm}`);
    } else {
      setMetacopy(tree, node, digest);
    }
    if (digestLength > 0 && (rules !== 'c' || isObjectPath(row))) setRedirectToDigest(tree, node);
    else if (payload.present) setRedirect(tree, node, payload.bytes, payload.start, payload.end);
  }

  /** As C does it: after the last line, whatever the order. */
  function resolveOpen(): void {
    const { bytes } = tree.nodes.arena;
    for (const [node, at, length, line] of open) {
      const target = findNode(tree, bytes, at, at + length);
      if (target === NONE) throw bad(line, 'a hardlink to a file that is not there');
      tree.link[node] = target;
    }
    for (const [node, , , line] of open) {
      let body = tree.link[node];
      for (let steps = 0; tree.link[body] !== NONE; steps++) {
        if (steps > open.length) throw bad(line, 'a hardlink to itself');
        body = tree.link[body];
      }
      if (body === node) throw bad(line, 'a hardlink to itself');
      tree.link[node] = body;
    }
  }

  const parser = createDumpParser(rules, addRow);
  return {
    push: (bytes) => parser.push(bytes),
    finish() {
      parser.finish();
      if (tree.nodes.names.count === 0) throw bad(1, 'a dump starts with the root directory');
      resolveOpen();
      return tree;
    },
  };
}

/** The node at a path, with or without its leading slash, or NONE. Nothing is followed. */
function findNode(tree: PackedTree, bytes: Uint8Array, start: number, end: number): number {
  let node = 0;
  let at = start;
  while (at < end) {
    let next = at;
    while (next < end && bytes[next] !== SLASH) next++;
    if (next > at) node = findEntry(tree.nodes.names, node, bytes, at, next);
    if (node === NONE) return NONE;
    at = next + 1;
  }
  return node;
}

/** Finds directories by path. Lines mostly stay in the directory of the line before. */
function createParentFinder(tree: PackedTree): (bytes: Uint8Array, start: number, end: number) => number {
  let last = new Uint8Array(4096);
  let lastLength = -1;
  let lastNode = 0;
  return (bytes, start, end) => {
    const length = end - start;
    let same = length === lastLength ? 0 : length + 1;
    while (same < length && last[same] === bytes[start + same]) same++;
    if (same === length) return lastNode;
    lastNode = findNode(tree, bytes, start, end);
    if (length > last.length) last = new Uint8Array(2 * length);
    last.set(bytes.subarray(start, end));
    lastLength = lastNode === NONE ? -1 : length;
    return lastNode;
  };
}

/** Attributes of a line as a set. Few combinations stand on many lines, so their text is read once. */
function createSetReader(tree: PackedTree, rules: DumpRules): (row: DumpRow, line: number) => number {
  const texts = createByteTable();
  const sets: number[] = [];
  return ({ line: bytes, xattrStart, xattrEnd }, line) => {
    if (xattrStart >= xattrEnd) return 0;
    const before = texts.count;
    const text = addEntry(texts, 0, bytes, xattrStart, xattrEnd);
    if (text < before) return sets[text];
    const xattrs = readXattrs(bytes, xattrStart, xattrEnd, LINE_RULES[rules], line);
    const set = addXattrSet(tree, xattrs);
    sets[text] = set;
    return set;
  };
}

function bad(line: number, message: string): BootsealError {
  return new BootsealError('composefs/bad-dump', message, { where: `line ${line}` });
}
