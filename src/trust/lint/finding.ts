/** One thing that is wrong with a policy, or that its author should know. */
import type { ErrorCode } from '../../errors.ts';

/** `error`: refused, or can never do what it says. `warning`: probably not what was meant. `note`: worth knowing. */
export type Severity = 'error' | 'warning' | 'note';

export interface Finding {
  readonly severity: Severity;
  readonly code: ErrorCode;
  readonly message: string;
  /** Byte offset in the policy. */
  readonly offset: number;
  /** What to write instead. */
  readonly hint?: string;
}

/** How a finding says it: `"keyPaths" of quay.io/acme`. */
export type Report = (finding: Finding) => void;
