/**
 * How text may look on one stream. A terminal gets marks and colour; a pipe, NO_COLOR, TERM=dumb or `--no-color` gets
 * the same words without either. Colour never says anything that a mark or a word does not say too.
 */
import type { StepState } from '../../steps.ts';

export interface Style {
  readonly rich: boolean;
  /** Before a step: `✓` or, plain, the word padded to one width. */
  mark(state: StepState): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

export interface StyleStream {
  readonly isTTY?: boolean;
}

export function isRich(stream: StyleStream, env: NodeJS.ProcessEnv, noColor: boolean): boolean {
  if (noColor || stream.isTTY !== true || env['TERM'] === 'dumb') return false;
  // https://no-color.org: present and not empty.
  return env['NO_COLOR'] === undefined || env['NO_COLOR'] === '';
}

const PLAIN_MARKS: Readonly<Record<StepState, string>> = {
  passed: 'ok     ',
  failed: 'FAILED ',
  warning: 'warning',
  skipped: 'skipped',
};

const same = (text: string): string => text;

export const plainStyle: Style = {
  rich: false,
  mark: (state) => PLAIN_MARKS[state],
  good: same,
  bad: same,
  warn: same,
  dim: same,
  bold: same,
};

/** SGR: on and off code, ECMA-48 8.3.117. */
function sgr(on: number, off: number): (text: string) => string {
  return (text) => `\u001b[${on}m${text}\u001b[${off}m`;
}

const green = sgr(32, 39);
const red = sgr(31, 39);
const yellow = sgr(33, 39);
const faint = sgr(2, 22);

const RICH_MARKS: Readonly<Record<StepState, string>> = {
  passed: green('✓'),
  failed: red('✗'),
  warning: yellow('!'),
  skipped: faint('–'),
};

export const richStyle: Style = {
  rich: true,
  mark: (state) => RICH_MARKS[state],
  good: green,
  bad: red,
  warn: yellow,
  dim: faint,
  bold: sgr(1, 22),
};
