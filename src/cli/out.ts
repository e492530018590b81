/** The two streams. A reader that went away (`| head`) is no error; a full disk is. */

export interface Out {
  stdout(text: string): void;
  stderr(text: string): void;
}

export interface OpenOut extends Out {
  /** The exit status, once everything is written: 3 where standard output could not take it. */
  finish(exit: number): Promise<number>;
}

export function openOut(): OpenOut {
  let failure: Error | undefined;
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') failure ??= error;
  };
  process.stdout.on('error', onError);
  process.stderr.on('error', onError);
  return {
    stdout: (text) => void (text === '' || process.stdout.write(text)),
    stderr: (text) => void (text === '' || process.stderr.write(text)),
    async finish(exit) {
      // An empty write calls back when all before it has been taken, or failed.
      await new Promise<void>((resolve) => void process.stdout.write('', () => resolve()));
      if (failure === undefined) return exit;
      process.stderr.write(`error: standard output: ${failure.message}\n`);
      return 3;
    },
  };
}
