/** `--json`: one object, `schema` first. docs/json.md describes it; a change that breaks readers raises `schema`. */

import { escapeJson } from '../../bytes/printable.ts';

export const JSON_SCHEMA = 1;

export function jsonText(members: Readonly<Record<string, unknown>>): string {
  return `${escapeJson(JSON.stringify({ schema: JSON_SCHEMA, ...members }, plain, 2))}\n`;
}

/** Values that JSON lacks: sizes beyond 2^53 become decimal strings, maps become objects, bytes hex. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value;
}
