/** What many images from the same places need only once: connections, the first request, tokens. */
import type { TransportSession } from './transport-options.ts';

export function openSession(): TransportSession {
  const shared = new Map<string, object>();
  const closers: (() => Promise<void>)[] = [];
  return {
    share<T extends object>(key: string, make: () => T): T {
      const known = shared.get(key) as T | undefined;
      if (known !== undefined) return known;
      const made = make();
      shared.set(key, made);
      // Whoever awaits it is told; the next one may have better luck.
      if (made instanceof Promise) made.catch(() => shared.delete(key));
      return made;
    },
    own: (close) => void closers.push(close),
    async close() {
      shared.clear();
      for (const close of closers.splice(0)) await close();
    },
  };
}
