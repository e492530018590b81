/** What `policy lint` found: place, severity, message, code, and below it what to write instead. */
import { escapeText } from '../../bytes/printable.ts';
import type { Severity } from '../../trust/lint/finding.ts';
import type { LintReport } from '../../verify/lint-policy.ts';
import type { Style } from './style.ts';

export function lintText(report: LintReport, style: Style, quiet: boolean): string {
  const { findings, refusal } = report;
  const lines: string[] = [];
  const width = Math.max(0, ...findings.map(({ where }) => escapeText(where).length)) + 2;
  for (const { where, severity, message, code, hint } of quiet ? [] : findings) {
    const place = escapeText(where).padEnd(width);
    lines.push(`${place}${paint(severity, style)}  ${escapeText(message)}  ${style.dim(escapeText(code))}`);
    if (hint !== undefined) lines.push(`${' '.repeat(width + 9)}${style.dim('hint')}  ${escapeText(hint)}`);
  }
  lines.push(summary(report));
  if (refusal !== undefined) {
    lines.push(
      'podman and skopeo refuse the whole file: every pull fails, also of images that other rules accept.',
      `They say: ${escapeText(refusal)}`,
    );
  }
  return lines.map((line) => `${line}\n`).join('');
}

function paint(severity: Severity, style: Style): string {
  const padded = severity.padEnd(7);
  return severity === 'error'
    ? style.bad(padded)
    : severity === 'warning'
      ? style.warn(padded)
      : style.dim(padded);
}

function summary({ file, counts }: LintReport): string {
  const parts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const count = counts[severity];
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? '' : 's'}`];
  });
  return parts.length === 0 ? `${escapeText(file)}: nothing to complain about` : `${parts.join(', ')}.`;
}
