/** An error for people: one cause line, where it is, a hint. No stack trace without BOOTSEAL_DEBUG=1. */
import { inspect } from 'node:util';
import { isBootsealError } from '../../errors.ts';
import { escapeLines, escapeText } from '../../bytes/printable.ts';
import { jsonText } from './json.ts';
import type { Style } from './style.ts';

export interface Failure {
  readonly exit: number;
  readonly code: string;
  readonly message: string;
  readonly where?: string;
  readonly offset?: number;
  readonly hint?: string;
  /** Stack traces of the error and its causes, for BOOTSEAL_DEBUG=1. */
  readonly trace: string;
}

const DEBUG_HINT = 'this is a mistake in bootseal; BOOTSEAL_DEBUG=1 shows where';

/** Unknown errors are ours to blame: exit 3, since nothing was decided. */
export function describeError(error: unknown): Failure {
  const trace = traceOf(error);
  if (isBootsealError(error)) {
    return {
      exit: error.exit,
      code: error.code,
      message: error.message,
      ...(error.where === undefined ? {} : { where: error.where }),
      ...(error.offset === undefined ? {} : { offset: error.offset }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      trace,
    };
  }
  const message = error instanceof Error ? error.message : inspect(error);
  return { exit: 3, code: 'internal/error', message: `internal error: ${message}`, hint: DEBUG_HINT, trace };
}

export function renderFailure(failure: Failure, style: Style, debug: boolean): string {
  const lines = escapeLines(failure.message).map((line, index) =>
    index === 0 ? `${style.bad('error:')} ${line}` : `       ${line}`,
  );
  const place = whereLine(failure);
  if (place !== undefined) lines.push(`  ${style.dim('where')}  ${place}`);
  if (failure.hint !== undefined) {
    for (const [index, line] of escapeLines(failure.hint).entries()) {
      lines.push(index === 0 ? `  ${style.dim('hint')}   ${line}` : `         ${line}`);
    }
  }
  lines.push(`  ${style.dim('code')}   ${escapeText(failure.code)}`);
  if (debug) lines.push('', ...escapeLines(failure.trace));
  return `${lines.join('\n')}\n`;
}

export function failureJson(failure: Failure): string {
  const { code, message, where, offset, hint } = failure;
  return jsonText({ ok: false, error: { code, message, where, offset, hint } });
}

function whereLine(failure: Failure): string | undefined {
  const offset = failure.offset === undefined ? undefined : `byte ${failure.offset}`;
  const parts = [failure.where === undefined ? undefined : escapeText(failure.where), offset];
  const known = parts.filter((part) => part !== undefined);
  return known.length === 0 ? undefined : known.join(', ');
}

function traceOf(error: unknown): string {
  const parts: string[] = [];
  // A bound, since a cause may point back.
  for (let current = error, depth = 0; current !== undefined && current !== null && depth < 10; depth++) {
    parts.push(current instanceof Error ? (current.stack ?? current.message) : inspect(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join('\ncaused by: ');
}
