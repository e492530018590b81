/** Columns from a tree of objects. */
import { encodeLatin1 } from '../bytes/bytes.ts';
import { FILE_TYPES } from '../formats/erofs/format.ts';
import { setContent, setExternal, setStat, type NodeTableSizes } from '../formats/erofs/node-table.ts';
import { VERITY_DIGEST_SIZE, type VerityAlgorithm } from '../formats/fsverity/format.ts';
import {
  addNode,
  addXattrSet,
  createPackedTree,
  METACOPY_HEADER,
  NONE,
  setEmptyMetacopy,
  setMetacopy,
  setRedirect,
  setRedirectToDigest,
  type PackedTree,
} from './packed-tree.ts';
import {
  contentSize,
  type Directory,
  type Leaf,
  type RegularContent,
  type Tree,
  type TreeNode,
} from './tree.ts';

/** The digests that the image holds are those of `algorithm`. */
export function packTree(tree: Tree, algorithm: VerityAlgorithm): PackedTree {
  const packed = createPackedTree(algorithm, sizesOf(tree, algorithm));
  const leaves = new Map<Leaf, number>();
  const sets = new Map<ReadonlyMap<string, Uint8Array>, number>();
  const stack: [directory: Directory, number: number][] = [];

  function add(node: TreeNode, parent: number, name: string): void {
    const bytes = encodeLatin1(name);
    const number = addNode(packed, parent, bytes, 0, bytes.length);
    if (node.kind === 'directory') {
      stack.push([node, number]);
    } else {
      const first = leaves.get(node);
      if (first !== undefined) {
        packed.link[number] = first;
        packed.nodes.nlink[first] += 1;
        packed.hardlinks += 1;
        return;
      }
      leaves.set(node, number);
    }
    fill(packed, number, node);
    const { xattrs } = node.stat;
    let set = sets.get(xattrs);
    if (set === undefined) sets.set(xattrs, (set = addXattrSet(packed, xattrs)));
    packed.xattrSet[number] = set;
  }

  add(tree.root, NONE, '');
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [directory, number] = next;
    for (const [name, node] of directory.children) add(node, number, name);
  }
  return packed;
}

/** Room for what {@link packTree} adds, and for the few that writing an image adds. */
function sizesOf(tree: Tree, algorithm: VerityAlgorithm): NodeTableSizes {
  const sizes = { nodes: SPARE, pairs: SPARE, bytes: SPARE_BYTES };
  const stack: Directory[] = [tree.root];
  for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
    for (const [name, node] of directory.children) {
      sizes.nodes += 1;
      sizes.bytes += name.length;
      if (node.kind === 'directory') stack.push(node);
      else if (node.kind === 'symlink') sizes.bytes += node.target.length;
      else if (node.kind === 'regular' && node.content.kind === 'external') {
        sizes.pairs += 2;
        sizes.bytes += VERITY_DIGEST_SIZE[algorithm] + METACOPY_HEADER;
      } else if (node.kind === 'regular') sizes.bytes += contentSize(node);
    }
  }
  return sizes;
}

/** 256 stubs, and attributes besides those of contents, of which there are few different ones. */
const SPARE = 1024;
const SPARE_BYTES = 65_536;

function fill(packed: PackedTree, number: number, node: TreeNode): void {
  const { mode, uid, gid, mtime } = node.stat;
  setStat(packed.nodes, number, {
    mode: FILE_TYPES[node.kind].mode | mode,
    uid,
    gid,
    nlink: 1,
    secondsLow: Number(BigInt.asUintN(32, mtime.seconds)),
    secondsHigh: Number(BigInt.asUintN(32, mtime.seconds >> 32n)),
    nanos: mtime.nanos,
  });
  if (node.kind === 'symlink') setContent(packed.nodes, number, encodeLatin1(node.target));
  else if (node.kind === 'character' || node.kind === 'block') packed.nodes.size[number] = node.rdev;
  else if (node.kind === 'regular') fillContent(packed, number, node.content);
}

function fillContent(packed: PackedTree, number: number, content: RegularContent): void {
  if (content.kind === 'inline') {
    setContent(packed.nodes, number, content.bytes);
    return;
  }
  setExternal(packed.nodes, number, content.size);
  const digest = content.digests[packed.algorithm];
  if (digest === undefined) setEmptyMetacopy(packed, number);
  else setMetacopy(packed, number, digest);
  if (content.payload === undefined) {
    if (digest !== undefined) setRedirectToDigest(packed, number);
  } else if (content.payload !== '') {
    const bytes = encodeLatin1(content.payload);
    setRedirect(packed, number, bytes, 0, bytes.length);
  }
}
