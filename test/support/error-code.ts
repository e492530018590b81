/** What a parser says to bad input. */
import { isBootsealError } from '../../src/errors.ts';

/** The code of the BootsealError that `run` throws, or undefined when it returns. Anything else thrown is a fault. */
export function errorCode(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return error.code;
  }
}
