/**
 * The steps of a job, as data. The command line, `--json` and the HTML report all render this one value.
 */
import type { ErrorCode } from './errors.ts';

/** `skipped`: not looked at, because an earlier step failed or nothing asked for it. */
export type StepState = 'passed' | 'failed' | 'warning' | 'skipped';

export interface StepDetail {
  readonly label: string;
  /** Untrusted text is allowed here; renderers escape control characters. */
  readonly value: string;
}

export interface Step {
  /** Stable, for machines: `signature`, `manifest`, `layers`, `seal`, … */
  readonly id: string;
  /** One or two words at the start of the line. */
  readonly title: string;
  readonly state: StepState;
  /** One line: what was found, or why it failed. */
  readonly summary: string;
  readonly details?: readonly StepDetail[];
  /** Present when `state` is `failed` or `warning`. */
  readonly code?: ErrorCode;
  readonly hint?: string;
}
