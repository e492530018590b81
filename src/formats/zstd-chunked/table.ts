/**
 * The table of contents of a zstd:chunked layer: JSON that repeats the headers of the archive and adds a digest for
 * each file. Entries are parsed one by one, because a table may be large and its tree of values is many times larger.
 */
import { concatBytes, decodeLatin1, encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { decodeGoBase64 } from '../strict-json/go-base64.ts';
import { forEachMember } from '../strict-json/go-decode.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';
import type { TarEntry } from '../tar/format.ts';
import { CHUNK_TYPE, ENTRY_TYPES, MAX_TABLE, TABLE_VERSION } from './format.ts';
import { parseTableTime } from './time.ts';

/** `size` and `digest` are of the contents; without contents there is no digest. Text is a byte a character. */
export interface TableEntry extends Required<Omit<TarEntry, 'device' | 'linkTarget'>> {
  readonly linkTarget: string;
  readonly device: { readonly major: number; readonly minor: number };
  readonly digest?: Digest;
}

export interface ContentTable {
  /** Of the tar-split data as compressed. */
  readonly tarSplitDigest?: Digest;
  /** In order. Throws as {@link parseTable} does, when it comes to an entry that is wrong. */
  entries(): Generator<TableEntry, void, undefined>;
}

type Members = Readonly<Record<string, JsonNode | undefined>>;

const TOP_KEYS: readonly string[] = ['version', 'entries', 'tarSplitDigest'];
const ENTRY_KEYS: readonly string[] = [
  'type',
  'name',
  'linkName',
  'mode',
  'size',
  'uid',
  'gid',
  'modtime',
  'accesstime',
  'changetime',
  'devMajor',
  'devMinor',
  'xattrs',
  'digest',
  'offset',
  'endOffset',
  'chunkSize',
  'chunkOffset',
  'chunkDigest',
  'chunkType',
];

/** An entry holds nothing deeper than its attributes. */
const MAX_DEPTH = 8;

/** `bytes` is the table as decoded. Throws `zstd-chunked/bad-table` and `json/…`, with the offset. */
export function parseTable(bytes: Uint8Array): ContentTable {
  // 1. Cut the entries out; what is left is a small document with a number in the place of each.
  const { frame, ranges } = cutEntries(bytes);
  const top = members(parseStrictJson(frame, { maxSize: MAX_TABLE, maxDepth: MAX_DEPTH }), TOP_KEYS, 0);
  // 2. No other lists: each entry that was cut out stood in the only one.
  for (const [key, value] of Object.entries(top)) {
    if (key !== 'entries' && (value?.kind === 'array' || value?.kind === 'object')) {
      throw bad(`${JSON.stringify(key)} is a list or an object`, 0);
    }
  }
  if (integer(top['version'], 'version', 0) !== TABLE_VERSION) throw bad('the version is not 1', 0);
  const list = top['entries'];
  // Go writes an empty list as null.
  const items = list?.kind === 'array' ? list.items : [];
  if (list?.kind !== 'array' && list?.kind !== 'null') throw bad('there are no entries', 0);
  if (items.length !== ranges.length || items.some((item) => item.kind !== 'number')) {
    throw bad('an entry is no object', 0);
  }
  const digest = text(top['tarSplitDigest'], 'tarSplitDigest', 0);
  if (digest !== '' && !isDigest(digest)) throw bad('tarSplitDigest is no digest', 0);
  return {
    ...(digest !== '' && { tarSplitDigest: digest }),
    *entries() {
      let last: TableEntry | undefined;
      for (const [start, end] of ranges) {
        const node = parseStrictJson(bytes.subarray(start, end), { maxSize: MAX_TABLE, maxDepth: MAX_DEPTH });
        const fields = members(node, ENTRY_KEYS, start);
        const type = text(fields['type'], 'type', start);
        // 3. Parts of a file add nothing: the digest of the whole is in the entry before them.
        if (type === CHUNK_TYPE) {
          if (last?.type !== 'file' || path(fields['name'], 'name', start) !== last.path) {
            throw bad('a chunk does not follow its file', start);
          }
          continue;
        }
        last = entryOf(fields, type, start);
        yield last;
      }
    },
  };
}

/** Objects within a list within the document: where they are, and the document with `0` for each. */
function cutEntries(bytes: Uint8Array): { frame: Uint8Array; ranges: [number, number][] } {
  const ranges: [number, number][] = [];
  const parts: Uint8Array[] = [];
  let depth = 0;
  let kept = 0;
  let start = -1;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x22) {
      // To the closing quotation mark. Whether the text is valid is seen when it is parsed.
      for (at += 1; at < bytes.length && bytes[at] !== 0x22; at++) if (bytes[at] === 0x5c) at += 1;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (depth === 2 && byte === 0x7b) start = at;
      depth += 1;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      if (depth !== 2 || start < 0) continue;
      parts.push(bytes.subarray(kept, start), ZERO);
      ranges.push([start, at + 1]);
      kept = at + 1;
      start = -1;
    }
  }
  parts.push(bytes.subarray(kept));
  return { frame: concatBytes(parts), ranges };
}

const ZERO = encodeUtf8('0');

function entryOf(fields: Members, typeName: string, at: number): TableEntry {
  if (!Object.hasOwn(ENTRY_TYPES, typeName)) throw bad(`entry type ${JSON.stringify(typeName)}`, at);
  const number = (key: string): number => integer(fields[key], key, at);
  const type = ENTRY_TYPES[typeName as keyof typeof ENTRY_TYPES];
  const digest = text(fields['digest'], 'digest', at);
  if (digest !== '' && !isDigest(digest)) throw bad('digest is no digest', at);
  const mtime = parseTableTime(text(fields['modtime'], 'modtime', at));
  if (mtime === undefined) throw bad('modtime is no time', at);
  return {
    path: path(fields['name'], 'name', at),
    type,
    mode: number('mode'),
    uid: number('uid'),
    gid: number('gid'),
    mtime,
    size: number('size'),
    linkTarget: path(fields['linkName'], 'linkName', at),
    device: { major: number('devMajor'), minor: number('devMinor') },
    xattrs: xattrsOf(fields['xattrs'], at),
    ...(digest !== '' && { digest }),
  };
}

function xattrsOf(node: JsonNode | undefined, at: number): Map<string, Uint8Array> {
  const result = new Map<string, Uint8Array>();
  if (node === undefined) return result;
  forEachMember(node, (key, value) => {
    const bytes = decodeGoBase64(text(value, `xattrs.${key}`, at));
    if (typeof bytes === 'number') throw bad(`attribute ${JSON.stringify(key)} is not base64`, at);
    result.set(decodeLatin1(encodeUtf8(key)), bytes);
    return true;
  });
  return result;
}

/**
 * Members by name. Unknown ones are left alone, as podman does; but it takes names in any case, so what it would take
 * for a known one is refused, and so is whatever is there twice.
 */
function members(node: JsonNode, known: readonly string[], start: number): Members {
  const found: Record<string, JsonNode> = Object.create(null) as Record<string, JsonNode>;
  forEachMember(node, (key, value) => {
    const isOdd = /[^ -~]/.test(key) || known.some((name) => name.toLowerCase() === key.toLowerCase());
    if (isOdd && !known.includes(key)) throw bad(`member ${JSON.stringify(key)}`, start);
    found[key] = value;
    return true;
  });
  return found;
}

function text(node: JsonNode | undefined, what: string, at: number): string {
  if (node === undefined) return '';
  if (node.kind !== 'string') throw bad(`${what} is no text`, at);
  return node.value;
}

/** A byte a character, as the reader of archives gives it. */
function path(node: JsonNode | undefined, what: string, at: number): string {
  return decodeLatin1(encodeUtf8(text(node, what, at)));
}

function integer(node: JsonNode | undefined, what: string, at: number): number {
  if (node === undefined) return 0;
  if (node.kind !== 'number' || !/^(?:0|[1-9][0-9]{0,14})$/.test(node.text))
    throw bad(`${what} is no count`, at);
  return Number(node.text);
}

function bad(what: string, offset: number): BootsealError {
  return new BootsealError('zstd-chunked/bad-table', `table of contents: ${what}`, { offset });
}
