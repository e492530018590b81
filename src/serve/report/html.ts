/** HTML put together so that text cannot become markup: whatever is not `Html` already is escaped. */
import { escapeText } from '../../bytes/printable.ts';

const SAFE: unique symbol = Symbol('html');

export interface Html {
  readonly [SAFE]: string;
}

type Part = Html | string | number | undefined | readonly Html[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for element content and quoted attributes; control and bidirectional characters are shown as escapes. */
function escapeHtml(text: string): string {
  return escapeText(text).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

export function markup(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { [SAFE]: literals.map((literal, index) => literal + partText(parts[index])).join('') };
}

/** Markup that this program itself holds, such as its style sheet. */
export function trusted(text: string): Html {
  return { [SAFE]: text };
}

export function markupOf(part: Html): string {
  return part[SAFE];
}

function partText(part: Part): string {
  if (part === undefined) return '';
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  if (SAFE in part) return part[SAFE];
  return part.map((item) => item[SAFE]).join('');
}
