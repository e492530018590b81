/** For loops that wait until something they look at has changed. */

export interface Bell {
  /** Wakes everyone who waits now. */
  ring(): void;
  /** Resolves at the next ring. */
  heard(): Promise<void>;
}

export function createBell(): Bell {
  let waiting: (() => void)[] = [];
  return {
    ring() {
      const woken = waiting;
      waiting = [];
      for (const resolve of woken) resolve();
    },
    heard: () => new Promise((resolve) => waiting.push(resolve)),
  };
}
