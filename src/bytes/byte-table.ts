/**
 * Byte strings kept once each and known by numbers: for hundreds of thousands of names, digests and attributes that
 * would cost an object and a string each. Entries are numbered 0, 1, 2 … in the order in which they came.
 */
import { randomInt } from 'node:crypto';
import { BootsealError } from '../errors.ts';

/** All bytes of a table, back to back. `bytes` is replaced when it grows, so it must not be kept. */
export interface Arena {
  bytes: Buffer;
  used: number;
}

/** The last offset that a column of 31-bit numbers can hold. */
const MAX_ARENA = 2 ** 31 - 1;

/** `capacity` is how many bytes will come, as far as is known. */
export function createArena(capacity = 0): Arena {
  const size = Math.min(Math.max(capacity, 1 << 16), MAX_ARENA);
  return { bytes: Buffer.allocUnsafeSlow(size), used: 0 };
}

/** Copies `source[start, end)` and returns where it is now. Throws `bytes/too-many`. */
export function addToArena(arena: Arena, source: Uint8Array, start: number, end: number): number {
  const at = arena.used;
  const used = at + end - start;
  if (used > arena.bytes.length) growArena(arena, used);
  const target = arena.bytes;
  // Most are a few dozen bytes: a native copy would take longer to call than to run.
  if (end - start < 64) for (let from = start, to = at; from < end;) target[to++] = source[from++];
  else target.set(source.subarray(start, end), at);
  arena.used = used;
  return at;
}

function growArena(arena: Arena, needed: number): void {
  if (needed > MAX_ARENA) {
    throw new BootsealError('bytes/too-many', 'more than 2 GiB of names, digests and attributes');
  }
  const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(2 * arena.bytes.length, needed), MAX_ARENA));
  grown.set(arena.bytes.subarray(0, arena.used));
  arena.bytes = grown;
}

/** An entry is a number (its tag) and bytes. Columns are replaced when they grow. */
export interface ByteTable {
  readonly arena: Arena;
  count: number;
  tags: Int32Array;
  /** Where the bytes of each entry are in the arena, and how many. */
  at: Int32Array;
  lengths: Uint32Array;
  hashes: Int32Array;
  /** Entry numbers plus one by hash, with linear probing; 0 is free. */
  slots: Int32Array;
  readonly seed: number;
}

/** `capacity` is how many entries will come, as far as is known. */
export function createByteTable(arena: Arena = createArena(), capacity = 64): ByteTable {
  // A power of two, of which three quarters are enough.
  const slots = 2 ** Math.ceil(Math.log2((capacity * 4) / 3));
  return {
    arena,
    count: 0,
    tags: new Int32Array(capacity),
    at: new Int32Array(capacity),
    lengths: new Uint32Array(capacity),
    hashes: new Int32Array(capacity),
    slots: new Int32Array(slots),
    // Names come from strangers, who must not be able to make them all fall into one place.
    seed: randomInt(2 ** 32) | 0,
  };
}

function hashBytes(seed: number, tag: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = Math.imul(seed ^ tag, 0x9e3779b1);
  for (let at = start; at < end; at++) {
    hash = Math.imul(hash ^ bytes[at], 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca77);
  return hash ^ (hash >>> 13);
}

/** The number of the entry, or -1. */
export function findEntry(
  table: ByteTable,
  tag: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const slot = probe(table, hashBytes(table.seed, tag, bytes, start, end), tag, bytes, start, end);
  return table.slots[slot] - 1;
}

/**
 * The number of the entry, which is new when it is the `count` from before. `at` is where its bytes are in the arena
 * already, for those of another entry. Throws `bytes/too-many`.
 */
export function addEntry(
  table: ByteTable,
  tag: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  at?: number,
): number {
  const hash = hashBytes(table.seed, tag, bytes, start, end);
  const slot = probe(table, hash, tag, bytes, start, end);
  if (table.slots[slot] !== 0) return table.slots[slot] - 1;
  const entry = table.count;
  if (entry === table.tags.length) growColumns(table);
  table.tags[entry] = tag;
  table.at[entry] = at ?? addToArena(table.arena, bytes, start, end);
  table.lengths[entry] = end - start;
  table.hashes[entry] = hash;
  table.slots[slot] = entry + 1;
  table.count = entry + 1;
  if (4 * table.count > 3 * table.slots.length) rehash(table);
  return entry;
}

function probe(
  table: ByteTable,
  hash: number,
  tag: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const { slots, hashes, tags, at, lengths } = table;
  const mask = slots.length - 1;
  const length = end - start;
  let slot = hash & mask;
  for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
    const entry = slots[slot] - 1;
    if (hashes[entry] !== hash || tags[entry] !== tag || lengths[entry] !== length) continue;
    const kept = table.arena.bytes;
    const offset = at[entry] - start;
    let same = start;
    while (same < end && kept[offset + same] === bytes[same]) same++;
    if (same === end) return slot;
  }
  return slot;
}

function growColumns(table: ByteTable): void {
  const capacity = 2 * table.tags.length;
  table.tags = grown(table.tags, new Int32Array(capacity));
  table.at = grown(table.at, new Int32Array(capacity));
  table.lengths = grown(table.lengths, new Uint32Array(capacity));
  table.hashes = grown(table.hashes, new Int32Array(capacity));
}

function rehash(table: ByteTable): void {
  const slots = new Int32Array(2 * table.slots.length);
  const mask = slots.length - 1;
  for (let entry = 0; entry < table.count; entry++) {
    let slot = table.hashes[entry] & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = entry + 1;
  }
  table.slots = slots;
}

/** `to`, which is longer, with the values of `from` at its start. */
export function grown<T extends Int32Array | Uint32Array | Uint16Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Order of the bytes of two ranges of an arena: negative, zero or positive. */
export function compareInArena(
  bytes: Uint8Array,
  a: number,
  aLength: number,
  b: number,
  bLength: number,
): number {
  const common = Math.min(aLength, bLength);
  for (let at = 0; at < common; at++) {
    const difference = bytes[a + at] - bytes[b + at];
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}
