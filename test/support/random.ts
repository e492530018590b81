/** Random numbers from a seed, so that a failure can be had again. */

export interface Random {
  /** 0 to `below` − 1. */
  readonly int: (below: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <T>(from: readonly T[]) => T;
  /** Weights need not sum up to anything. */
  readonly weighted: <T>(from: readonly (readonly [weight: number, item: T])[]) => T;
}

/** Mulberry32 (public domain): 2^32 states, enough to make test data. */
export function makeRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    int: (below) => Math.floor(next() * below),
    chance: (probability) => next() < probability,
    pick: (from) => from[Math.floor(next() * from.length)],
    weighted: (from) => {
      let left = next() * from.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, item] of from) {
        left -= weight;
        if (left < 0) return item;
      }
      return from[0][1];
    },
  };
}

/**
 * The seed of a run: always the same, so that a change is judged by what it changes. `BOOTSEAL_SEED=random` takes another
 * one, `BOOTSEAL_SEED=N` the one that a run has printed.
 */
export function chooseSeed(): number {
  const given = process.env['BOOTSEAL_SEED'];
  if (given === 'random') return Math.floor(Math.random() * 2 ** 31);
  return given === undefined ? 20_261_121 : Number(given);
}
