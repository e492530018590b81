/** SIGINT and SIGTERM end a job in an orderly way; a second one ends it at once. */

export interface SignalWatch {
  readonly signal: AbortSignal;
  received(): NodeJS.Signals | undefined;
  dispose(): void;
}

/** How long a job may take to remove what it had begun. */
const GRACE_MS = 10_000;

export function watchSignals(): SignalWatch {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  let timer: NodeJS.Timeout | undefined;
  const exitNow = (): never => process.exit(received === 'SIGTERM' ? 143 : 130);
  const onSignal = (name: NodeJS.Signals): void => {
    if (received !== undefined) exitNow();
    received = name;
    timer = setTimeout(exitNow, GRACE_MS);
    timer.unref();
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    received: () => received,
    dispose: () => {
      clearTimeout(timer);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
