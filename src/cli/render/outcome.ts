/** Prints what a command returned. Results go to standard output; the reason of a refusal to standard error. */
import type { Outcome, Verdict } from '../command.ts';
import type { CliContext } from '../context.ts';
import type { Out } from '../out.ts';
import { escapeLines, escapeText } from '../../bytes/printable.ts';
import { jsonText } from './json.ts';
import { renderFacts, renderSteps } from './steps.ts';

export function printOutcome(outcome: Outcome, context: CliContext, out: Out): void {
  if (context.json) {
    const steps = outcome.steps === undefined ? {} : { steps: outcome.steps };
    out.stdout(jsonText({ ok: outcome.ok, ...outcome.json, ...steps }));
    if (!outcome.ok && outcome.verdict?.reason !== undefined)
      out.stderr(`${escapeText(outcome.verdict.reason)}\n`);
    return;
  }
  if (outcome.value !== undefined) out.stdout(`${escapeText(outcome.value)}\n`);
  const steps = context.quiet ? [] : (outcome.steps ?? []);
  const stepsText = lines(renderSteps(steps, context.style, context.verbose));
  if (outcome.stepsFirst === true) out.stdout(stepsText);
  if (outcome.verdict !== undefined) printVerdict(outcome.verdict, outcome.ok, context, out);
  if (outcome.stepsFirst !== true) out.stdout(stepsText);
  if (outcome.text !== undefined)
    out.stdout(outcome.text.endsWith('\n') ? outcome.text : `${outcome.text}\n`);
}

function printVerdict(verdict: Verdict, ok: boolean, context: CliContext, out: Out): void {
  const { style } = context;
  const word = ok ? style.good(verdict.word) : style.bad(verdict.word);
  const mark = style.rich ? `${style.mark(ok ? 'passed' : 'failed')} ` : '';
  out.stdout(`${mark}${word}  ${escapeText(verdict.subject)}\n`);
  if (verdict.reason !== undefined) {
    const indent = style.rich ? '  ' : '';
    const reason = lines(escapeLines(verdict.reason).map((line) => indent + line));
    if (!ok) out.stderr(reason);
    else if (!context.quiet) out.stdout(reason);
  }
  if (context.quiet) return;
  const facts = [...(verdict.facts ?? [])];
  if (verdict.hint !== undefined) facts.push({ label: 'hint', value: verdict.hint });
  out.stdout(lines(renderFacts(facts, style)));
}

function lines(list: readonly string[]): string {
  return list.map((line) => `${line}\n`).join('');
}
