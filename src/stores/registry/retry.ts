/** Trying again, with growing pauses, what may pass by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RetryOptions, TransportEvent } from '../transport-options.ts';
import { askedToWait, mayPass } from './error.ts';

export interface Retry {
  /** Runs `work` until it succeeds, fails for good, or was tried often enough; then throws what it threw last. */
  run<T>(what: string, work: () => Promise<T>): Promise<T>;
  /** The pause before try `attempt` + 1 after `error`, or the error when there is no sense in one. */
  pause(what: string, attempt: number, error: unknown): Promise<void>;
}

/** As containers/image: five tries, 2 s doubled each time, at most 60 s, Retry-After honoured up to that. */
const DEFAULTS: Required<RetryOptions> = { attempts: 5, firstDelay: 2000, maxDelay: 60_000 };

export function makeRetry(
  options: RetryOptions | undefined,
  signal: AbortSignal | undefined,
  report: ((event: TransportEvent) => void) | undefined,
): Retry {
  const { attempts, firstDelay, maxDelay } = { ...DEFAULTS, ...options };
  const pause = async (what: string, attempt: number, error: unknown): Promise<void> => {
    if (attempt >= attempts || !mayPass(error) || signal?.aborted === true) throw error;
    const grown = Math.min(firstDelay * 2 ** (attempt - 1), maxDelay);
    // Some spread, so that many clients that failed together do not come back together.
    const wait = Math.min(askedToWait(error) ?? grown * (0.75 + Math.random() / 4), maxDelay);
    report?.({ kind: 'retry', what, reason: (error as Error).message, milliseconds: Math.round(wait) });
    await sleep(wait, undefined, signal && { signal });
  };
  return {
    pause,
    async run(what, work) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await work();
        } catch (error) {
          await pause(what, attempt, error);
        }
      }
    },
  };
}

/** Milliseconds of a Retry-After header: seconds or an HTTP date. Undefined when absent or nonsense. */
export function parseRetryAfter(header: string | undefined, now: number = Date.now()): number | undefined {
  if (header === undefined || header.length > 64) return undefined;
  if (/^[0-9]{1,9}$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
