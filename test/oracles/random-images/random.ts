/** A small generator of random numbers: the same seed gives the same image on every machine. */
export interface Random {
  /** 0 up to, but not, `limit`. */
  below(limit: number): number;
  /** True in this many of a hundred cases. */
  chance(percent: number): boolean;
  pick<T>(items: readonly T[]): T;
  bytes(length: number): Uint8Array;
}

/** Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
  const below = (limit: number): number => next() % limit;
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (items) => items[below(items.length)],
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
  };
}
