/** Where the parsers of a Rust pattern are: that of the pattern and that of its classes share one place. */
import type { Assertion, ByteSet } from './ast.ts';

export interface RustFlags {
  /** i */
  readonly ignoreCase: boolean;
  /** m */
  readonly multiLine: boolean;
  /** s */
  readonly dotAll: boolean;
  /** u */
  readonly unicode: boolean;
  /** R */
  readonly crlf: boolean;
  /** x */
  readonly comments: boolean;
}

/** One escape or character. `raw`: a byte written `\xHH`. */
export type Primitive =
  | { readonly kind: 'character'; readonly character: number; readonly raw: boolean }
  | { readonly kind: 'set'; readonly set: ByteSet }
  | { readonly kind: 'assertion'; readonly what: Assertion };

/** Characters of the pattern and the place in it, shared with the parser of classes. */
export interface RustScanner {
  readonly characters: readonly string[];
  at: number;
  depth: number;
  flags: RustFlags;
  primitive(): Primitive;
}
