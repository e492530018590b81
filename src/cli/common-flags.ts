/** The options that every command has. */

export interface CommonFlags {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly noColor: boolean;
}

/** As much of a flag as help and completion need. */
export interface FlagShape {
  readonly kind: string;
  readonly brief: string;
  readonly placeholder?: string;
  readonly optional?: boolean;
  readonly hidden?: boolean;
  readonly default?: unknown;
  readonly values?: readonly string[];
  readonly variadic?: boolean | string;
}

export const commonFlags: Readonly<Record<keyof CommonFlags, FlagShape>> = {
  json: { kind: 'boolean', default: false, brief: 'print one JSON object instead of text (docs/json.md)' },
  quiet: { kind: 'boolean', default: false, brief: 'print the answer only' },
  verbose: { kind: 'boolean', default: false, brief: 'also tell what was tried, and timings' },
  noColor: { kind: 'boolean', default: false, brief: 'no colour and no marks, as with NO_COLOR' },
};
