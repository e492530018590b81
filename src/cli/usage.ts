/** What stricli says about wrong options, in our words. */
import { ArgumentScannerError, formatMessageForArgumentScannerError } from '@stricli/core';
import { kebab } from './kebab.ts';

export function usageMessage(error: unknown): string {
  if (!(error instanceof ArgumentScannerError)) return error instanceof Error ? error.message : String(error);
  return formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: (e) => `unknown option --${kebab(e.input)}${didYouMean(e.corrections)}`,
    AliasNotFoundError: (e) => `unknown option -${e.input}`,
    ArgumentParseError: (e) => `${name(e.externalFlagNameOrPlaceholder)}: ${reason(e.exception)}`,
    EnumValidationError: (e) =>
      `--${kebab(e.externalFlagName)}: "${e.input}" is none of ${e.values.join(', ')}`,
    UnsatisfiedFlagError: (e) =>
      e.nextFlagName === undefined
        ? `--${kebab(e.externalFlagName)} is missing, or has no value`
        : `--${kebab(e.externalFlagName)} needs a value`,
    UnexpectedPositionalError: (e) => `too many arguments: "${e.input}" (at most ${e.expectedCount})`,
    UnsatisfiedPositionalError: (e) => `${e.placeholder} is missing`,
    InvalidNegatedFlagSyntaxError: (e) => `--${kebab(e.externalFlagName)} takes no value`,
    UnexpectedFlagError: (e) =>
      `--${kebab(e.externalFlagName)} is given twice: "${e.previousInput}" and "${e.input}"`,
  });
}

function name(flagOrPlaceholder: string): string {
  return /^[A-Z[]/.test(flagOrPlaceholder) ? flagOrPlaceholder : `--${kebab(flagOrPlaceholder)}`;
}

function reason(exception: unknown): string {
  return exception instanceof Error ? exception.message : String(exception);
}

function didYouMean(corrections: readonly string[]): string {
  return corrections.length === 0
    ? ''
    : `; did you mean ${corrections.map((c) => `--${kebab(c)}`).join(' or ')}?`;
}
