/** Fields of a dump line: escapes, numbers, extended attributes. */
import type { BootsealError } from '../../errors.ts';
import { DUMP_LIMITS } from './format.ts';

export type FieldError = (message: string) => BootsealError;

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\', n: '\n', r: '\r', t: '\t' };

/** The bytes of a field as a binary string, or undefined for `-`. */
export function readField(text: string, error: FieldError): string | undefined {
  return text === '-' ? undefined : unescape(text, error);
}

/** Extended attributes have no `-` convention: it stands for itself. */
export function readXattr(field: string, error: FieldError): readonly [string, Uint8Array] {
  const equals = field.indexOf('=');
  if (equals < 0) throw error('an extended attribute has no =');
  const key = unescape(field.slice(0, equals), error);
  const value = unescape(field.slice(equals + 1), error);
  if (key === '') throw error('an extended attribute has no name');
  if (key.includes('\0')) throw error('an extended attribute name has a NUL byte');
  if (key.length > DUMP_LIMITS.xattrName) throw error('an extended attribute name is too long');
  if (value.length > DUMP_LIMITS.xattrValue) throw error('an extended attribute value is too long');
  return [key, Uint8Array.from(Buffer.from(value, 'latin1'))];
}

export function readNumber(text: string, base: 8 | 10, max: number, what: string, error: FieldError): number {
  const digits = base === 8 ? /^[0-7]{1,22}$/ : /^[0-9]{1,20}$/;
  const value = digits.test(text) ? Number.parseInt(text, base) : Number.NaN;
  if (!(value <= max)) throw error(`${what} is not a number up to ${max}`);
  return value;
}

function unescape(text: string, error: FieldError): string {
  let result = '';
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character < '!' || character > '~') throw error('a byte outside ! to ~ is not escaped');
    if (character !== '\\') {
      result += character;
      continue;
    }
    const escape = text.charAt(++at);
    const simple = Object.hasOwn(SIMPLE_ESCAPES, escape) ? SIMPLE_ESCAPES[escape] : undefined;
    if (simple !== undefined) {
      result += simple;
      continue;
    }
    const hex = text.slice(at + 1, at + 3);
    if (escape !== 'x' || !/^[0-9a-fA-F]{2}$/.test(hex)) throw error('a bad escape');
    result += String.fromCharCode(Number.parseInt(hex, 16));
    at += 2;
  }
  return result;
}
