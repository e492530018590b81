/**
 * Reader of the composefs dump text. Where mkcomposefs and composefs-rs disagree, this takes the stricter side
 * unless told otherwise: a dump that passes gives the same tree in both.
 */
import { encodeLatin1 } from '../../bytes/bytes.ts';
import { pieceText } from './fields.ts';
import { FILE_TYPE, type DumpEntry, type DumpKind } from './format.ts';
import { createDumpParser } from './parser.ts';
import type { DumpRow } from './row.ts';
import { LINE_RULES, type DumpRules } from './rules.ts';
import { readXattrs } from './xattrs.ts';

const PERMISSION_BITS = 0o7777;
const KINDS: ReadonlyMap<number, DumpKind> = new Map(
  (Object.keys(FILE_TYPE) as DumpKind[]).map((kind) => [FILE_TYPE[kind], kind]),
);
/** Entries made ahead of their use: enough that the parser is not asked for each, few enough to be forgotten. */
const PIECE = 64 * 1024;

/**
 * The entries in order. Checks each line by itself; that parents and link targets come first is the business of
 * whoever builds the tree. Throws `dump/malformed` with the line number in `where`.
 */
export function* readDump(
  text: Uint8Array,
  rules: DumpRules = 'strict',
): Generator<DumpEntry, void, undefined> {
  let entries: DumpEntry[] = [];
  const parser = createDumpParser(rules, (row, line) => entries.push(entryOf(row, rules, line)));
  for (let at = 0; at < text.length; at += PIECE) {
    parser.push(text.subarray(at, at + PIECE));
    yield* entries;
    entries = [];
  }
  parser.finish();
  yield* entries;
}

function entryOf(row: DumpRow, rules: DumpRules, line: number): DumpEntry {
  const path = pieceText(row.path);
  if (row.hardlink) return { type: 'hardlink', path, target: pieceText(row.payload) };
  const { payload, content, digest, digestLength } = row;
  const seconds = BigInt.asIntN(64, (BigInt(row.secondsHigh) << 32n) | BigInt(row.secondsLow));
  return {
    type: 'node',
    path,
    kind: KINDS.get(row.mode & ~PERMISSION_BITS)!,
    mode: row.mode & PERMISSION_BITS,
    uid: row.uid,
    gid: row.gid,
    rdev: row.rdev,
    mtime: { seconds, nanos: row.nanos },
    size: BigInt(row.size),
    ...(payload.present && { payload: pieceText(payload) }),
    ...(content.present && { content: encodeLatin1(pieceText(content)) }),
    ...(digestLength > 0 && { digest: Uint8Array.from(digest.subarray(0, digestLength)) }),
    xattrs: readXattrs(row.line, row.xattrStart, row.xattrEnd, LINE_RULES[rules], line),
  };
}
