/**
 * The one error class of bootseal.
 *
 * `code` is stable: scripts may match on it. It reads `area/what`, for example `tar/bad-checksum`.
 */

/** Process exit status that the error asks for: 1 the verdict is no, 2 usage, 3 could not decide. */
export type ExitStatus = 1 | 2 | 3;

/** `area/what`, lower-case words joined by `-`. */
export type ErrorCode = `${string}/${string}`;

export interface ErrorDetails {
  /** A command or an edit that would mend it. */
  readonly hint?: string;
  /** What led here. Kept, and printed only with BOOTSEAL_DEBUG=1. */
  readonly cause?: unknown;
  /** Offset in bytes within the parsed input. */
  readonly offset?: number;
  /** Where it is: `file:line:column`, or a layer and a path. */
  readonly where?: string;
  /** Defaults to 3, could not decide. */
  readonly exit?: ExitStatus;
}

const BRAND = Symbol.for('bootseal.error');

export class BootsealError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly offset: number | undefined;
  readonly where: string | undefined;
  readonly exit: ExitStatus;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'BootsealError';
    this.code = code;
    this.hint = details.hint;
    this.offset = details.offset;
    this.where = details.where;
    this.exit = details.exit ?? 3;
    // A brand, so that checks survive two installed copies of the package.
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** True for a BootsealError of this or another installed copy of bootseal. */
export function isBootsealError(error: unknown): error is BootsealError {
  return typeof error === 'object' && error !== null && BRAND in error;
}

/** The same error with further details: where it happened, or a hint that only the caller knows. */
export function withDetails(error: BootsealError, details: ErrorDetails): BootsealError {
  const detailed = new BootsealError(error.code, error.message, {
    hint: error.hint ?? details.hint,
    cause: error.cause ?? details.cause,
    offset: error.offset ?? details.offset,
    where: error.where ?? details.where,
    exit: details.exit ?? error.exit,
  });
  // Where it arose, not where it was told more about.
  if (error.stack !== undefined) detailed.stack = error.stack;
  return detailed;
}
