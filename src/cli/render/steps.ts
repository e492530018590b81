/** The steps of a job, as lines: a mark, a title column, the summary, details below it, the hint last. */
import type { Step, StepDetail } from '../../steps.ts';
import { escapeLines, escapeText } from '../../bytes/printable.ts';
import type { Style } from './style.ts';

const MIN_TITLE_WIDTH = 10;

/** Details of steps that passed or were left out are for who asks: `--verbose`. */
export function renderSteps(steps: readonly Step[], style: Style, verbose = true): string[] {
  const width = Math.max(MIN_TITLE_WIDTH, ...steps.map((step) => escapeText(step.title).length)) + 2;
  return steps.flatMap((step) => renderStep(step, width, style, verbose));
}

function renderStep(step: Step, width: number, style: Style, verbose: boolean): string[] {
  const indent = ' '.repeat(2 + (style.rich ? 1 : 7) + 1 + width);
  const [summary = '', ...more] = escapeLines(step.summary);
  const lines = [`  ${style.mark(step.state)} ${escapeText(step.title).padEnd(width)}${summary}`.trimEnd()];
  for (const line of more) lines.push(indent + line);
  const shown = verbose || step.state === 'failed' || step.state === 'warning';
  const details = shown ? [...(step.details ?? [])] : [];
  if (step.hint !== undefined) details.push({ label: 'hint', value: step.hint });
  const labelWidth = Math.max(0, ...details.map((detail) => escapeText(detail.label).length)) + 2;
  for (const detail of details) lines.push(...renderDetail(detail, indent, labelWidth, style));
  return lines;
}

/** Label and value lines under a verdict, in the title column of the steps without a mark. */
export function renderFacts(facts: readonly StepDetail[], style: Style): string[] {
  const width = Math.max(MIN_TITLE_WIDTH - 1, ...facts.map((fact) => escapeText(fact.label).length)) + 2;
  return facts.flatMap((fact) => renderDetail(fact, '  ', width, style));
}

function renderDetail(detail: StepDetail, indent: string, width: number, style: Style): string[] {
  const [first = '', ...rest] = escapeLines(detail.value);
  // A detail without a label is a further line of the summary.
  if (detail.label === '') return [first, ...rest].map((line) => indent + line);
  const label = escapeText(detail.label).padEnd(width);
  return [
    `${indent}${style.dim(label)}${first}`.trimEnd(),
    ...rest.map((line) => indent + ' '.repeat(width) + line),
  ];
}
