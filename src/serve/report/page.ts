/**
 * The report: one HTML page that draws the chain of trust of an image, link by link, and where it breaks. It needs no
 * network and no script, and reads the same on paper. Everything in it may come from a hostile image: see html.ts, and
 * the content security policy that forbids the page to load or run anything.
 */
import { createHash } from 'node:crypto';
import type { Step, StepDetail, StepState } from '../../steps.ts';
import { markup, markupOf, trusted, type Html } from './html.ts';
import { whatItProves } from './links.ts';
import { STYLE_SHEET } from './style-sheet.ts';

export interface ReportInput {
  /** The image name as it was asked for. */
  readonly image: string;
  /** The digest that the name meant, in full; empty where that could not be found out. */
  readonly digest: string;
  /** When it was looked at, ISO 8601. Left out, the page depends on the image alone. */
  readonly when?: string;
  readonly ok: boolean;
  readonly steps: readonly Step[];
  /** The command that repeats the check. */
  readonly command?: string;
  readonly generator?: string;
}

const WORDS: Readonly<Record<StepState, string>> = {
  passed: 'holds',
  failed: 'broken',
  warning: 'warning',
  skipped: 'not checked',
};

const MARKS: Readonly<Record<StepState, string>> = { passed: '✓', failed: '✗', warning: '!', skipped: '–' };

export function renderReport(input: ReportInput): string {
  const style = `'sha256-${createHash('sha256').update(STYLE_SHEET).digest('base64')}'`;
  const policy = `default-src 'none'; style-src ${style}; base-uri 'none'; form-action 'none'`;
  return markupOf(markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${headline(input).text}: ${input.image}</title>
<style>${trusted(STYLE_SHEET)}</style>
</head>
<body class="${headline(input).tone}">
<main>
${heading(input)}
${overview(input.steps)}
<ol class="chain">
${input.steps.map(link)}</ol>
${closing(input)}
</main>
</body>
</html>
`);
}

function heading(input: ReportInput): Html {
  const rows = [row('Image', markup`<code>${input.image}</code>`)];
  if (input.digest !== '') rows.push(row('Digest', markup`<code class="digest">${input.digest}</code>`));
  if (input.when !== undefined) {
    rows.push(row('Checked', markup`<time datetime="${input.when}">${readableTime(input.when)}</time>`));
  }
  const { mark, text } = headline(input);
  return markup`<header>
<p class="kind">Chain of trust</p>
<h1><span class="seal" aria-hidden="true">${mark}</span> ${text}</h1>
<p class="verdict">${verdict(input)}</p>
<dl class="subject">
${rows}</dl>
</header>`;
}

function row(label: string, value: Html): Html {
  return markup`<div><dt>${label}</dt><dd>${value}</dd></div>
`;
}

/** Green is for a chain of which every link was checked and holds. */
function headline({ ok, steps }: ReportInput): { tone: string; mark: string; text: string } {
  if (!ok) return { tone: 'bad', mark: MARKS.failed, text: 'Broken' };
  if (steps.some((step) => step.state === 'skipped'))
    return { tone: 'mixed', mark: MARKS.warning, text: 'Not fully checked' };
  const warnings = steps.filter((step) => step.state === 'warning').length;
  if (warnings > 0) {
    return {
      tone: 'mixed',
      mark: MARKS.warning,
      text: `Unbroken, with ${warnings === 1 ? 'a warning' : 'warnings'}`,
    };
  }
  return { tone: 'good', mark: MARKS.passed, text: 'Unbroken' };
}

function verdict({ ok, steps }: ReportInput): Html {
  const count = (state: StepState): number => steps.filter((step) => step.state === state).length;
  const skipped = count('skipped');
  if (!ok) {
    const broken = steps.flatMap((step, index) => (step.state === 'failed' ? [index] : []));
    // Without a failed step there is no place to point at, and still no chain.
    if (broken.length === 0)
      return markup`The check did not come to an end: what is missing below was not proved.`;
    const after = skipped === 0 ? '' : ` ${links(skipped)} ${skipped === 1 ? 'was' : 'were'} not checked.`;
    const [first, ...others] = broken.map((index) => anchor(steps[index], index));
    if (others.length === 0)
      return markup`Link ${broken[0] + 1} of ${steps.length}, ${first}, is broken.${after}`;
    const named = others.map((other) => markup`, ${other}`);
    return markup`${broken.length} of ${steps.length} links are broken: ${first}${named}.${after}`;
  }
  const warnings = steps.flatMap((step, index) => (step.state === 'warning' ? [index] : []));
  const held = steps.length - skipped - warnings.length;
  const all = held === steps.length ? 'All ' : '';
  const gaps = skipped === 0 ? '' : `, ${skipped} not checked`;
  const named = warnings.map((index, at) => markup`${at === 0 ? '' : ', '}${anchor(steps[index], index)}`);
  const warned = warnings.length === 0 ? undefined : markup`, ${warnings.length} with a warning: ${named}`;
  return markup`${all}${links(held)} ${held === 1 ? 'holds' : 'hold'}${gaps}${warned}.`;
}

function anchor(step: Step, index: number): Html {
  return markup`<a href="#link-${index + 1}">${step.title}</a>`;
}

function links(count: number): string {
  return `${count} ${count === 1 ? 'link' : 'links'}`;
}

/** The whole chain at a glance. */
function overview(steps: readonly Step[]): Html {
  const items = steps.map((step, index) => {
    const mark = markup`<span class="mark" aria-hidden="true">${MARKS[step.state]}</span>`;
    const name = markup`<span class="name">${step.title}</span><span class="unseen">: ${WORDS[step.state]}</span>`;
    return markup`<li class="${step.state}"><a href="#link-${index + 1}">${mark}${name}</a></li>
`;
  });
  return markup`<nav aria-label="All links of the chain"><ol>
${items}</ol></nav>`;
}

function link(step: Step, index: number): Html {
  // A warning or a link that was not looked at proves nothing by itself.
  const proves = step.state === 'passed' || step.state === 'failed' ? whatItProves(step.id) : undefined;
  return markup`<li class="link ${step.state}" id="link-${index + 1}">
<span class="mark" aria-hidden="true">${MARKS[step.state]}</span>
<article aria-labelledby="title-${index + 1}">
<h2 id="title-${index + 1}"><span class="name">${step.title}</span> <span class="state">${WORDS[step.state]}</span></h2>
<p class="summary">${withDigests(step.summary)}</p>
${proves === undefined ? undefined : markup`<p class="proves">${step.state === 'failed' ? markup`<strong>Not proved:</strong> ` : undefined}${proves}</p>`}
${details(step)}
${step.hint === undefined ? undefined : markup`<p class="hint"><strong>What to do</strong> <span>${withDigests(step.hint)}</span></p>`}
</article>
</li>
`;
}

function details(step: Step): Html | undefined {
  const rows: StepDetail[] = [...(step.details ?? [])];
  if (step.code !== undefined) rows.push({ label: 'code', value: step.code });
  if (rows.length === 0) return undefined;
  return markup`<dl>
${rows.map(({ label, value }) => row(label, withDigests(value)))}</dl>`;
}

const DIGEST = /(?:sha(?:256|384|512):)?\b(?:[0-9a-f]{128}|[0-9a-f]{96}|[0-9a-f]{64})\b/g;

/** Text whose lines stay lines and whose digests can be selected whole with one click. */
function withDigests(text: string): Html {
  const lines = text
    .split('\n')
    .map((line, index) => markup`${index === 0 ? undefined : trusted('<br>')}${digestsOf(line)}`);
  return markup`${lines}`;
}

function digestsOf(line: string): Html {
  const parts: Html[] = [];
  let end = 0;
  for (const match of line.matchAll(DIGEST)) {
    parts.push(markup`${line.slice(end, match.index)}<code class="digest">${match[0]}</code>`);
    end = match.index + match[0].length;
  }
  return markup`${parts}${line.slice(end)}`;
}

function closing(input: ReportInput): Html {
  const again =
    input.command === undefined
      ? undefined
      : markup`<p>To check again:</p>
<pre><code>${input.command}</code></pre>`;
  return markup`<footer>
${again}
<p>This page is a record of one check, not a proof by itself: whoever can change it can change its colours. Click a digest to select the whole of it.</p>
${input.generator === undefined ? undefined : markup`<p class="generator">${input.generator}</p>`}
</footer>`;
}

/** `2026-11-21 13:40 UTC`; whatever is no time is shown as it came. */
function readableTime(when: string): string {
  const time = new Date(when);
  return Number.isNaN(time.getTime()) ? when : `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
