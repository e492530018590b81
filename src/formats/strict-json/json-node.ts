/** A JSON document as it stands in the file: every member kept, duplicates too, each with its place. */

export interface JsonMember {
  readonly key: string;
  /** Byte offset of the quotation mark that opens the key. */
  readonly keyOffset: number;
  readonly value: JsonNode;
}

/** `offset` is the byte offset of the first byte of the value. */
export type JsonNode =
  | { readonly kind: 'object'; readonly offset: number; readonly members: readonly JsonMember[] }
  | { readonly kind: 'array'; readonly offset: number; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly offset: number; readonly value: string }
  /** `text` as written: `1e3` and `1000` are the same number, but not the same text. */
  | { readonly kind: 'number'; readonly offset: number; readonly text: string }
  | { readonly kind: 'boolean'; readonly offset: number; readonly value: boolean }
  | { readonly kind: 'null'; readonly offset: number };

export type JsonObject = Extract<JsonNode, { kind: 'object' }>;
