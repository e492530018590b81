/**
 * Changing something that others change too, in a store without transactions: read, plan, read again, write, and look
 * some rounds later whether it held. No change is lost, theirs or ours, as long as everybody does it so.
 */

export interface SettledChange<S, P> {
  /** Reads afresh at every call. */
  read(): Promise<S>;
  same(before: S, again: S): boolean;
  /** What to write, after whatever must be there first; undefined when there is nothing to change. */
  plan(state: S): Promise<P | undefined>;
  /** False where the store refused because something changed meanwhile; on the last attempt it throws instead. */
  write(plan: P, mayFail: boolean): Promise<boolean>;
  /** Whether what was written is still there, with what others had before. */
  holds(state: S, plan: P): boolean;
}

export interface SettleOptions {
  readonly signal?: AbortSignal;
  /** Rounds in all. */
  readonly attempts?: number;
}

const ATTEMPTS = 10;
/** Milliseconds. */
const MIN_SETTLE = 100;
/** The longest pause between rounds: 3.2 seconds. */
const MAX_DOUBLINGS = 5;

/** The state in which the change is there; undefined when others kept writing until the last round. */
export async function changeSettled<S, P>(
  change: SettledChange<S, P>,
  { signal, attempts = ATTEMPTS }: SettleOptions = {},
): Promise<S | undefined> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    signal?.throwIfAborted();
    // 1. What is there now, and what it should be.
    const before = await change.read();
    const plan = await change.plan(before);
    if (plan === undefined) return before;
    // 2. Unless it changed meanwhile, write.
    const started = performance.now();
    if (change.same(before, await change.read()) && (await change.write(plan, attempt < attempts))) {
      // 3. Somebody who looked before we wrote may write after us, and undo our change without knowing. That happens
      // within the time of such a round: look again some rounds later.
      await pause(Math.max(MIN_SETTLE, 4 * (performance.now() - started)), signal);
      const after = await change.read();
      if (change.holds(after, plan)) return after;
    }
    // Longer each time, and not the same for two who met.
    await pause(Math.random() * 100 * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS), signal);
  }
  return undefined;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
