/** Where the parsers of a PCRE2 pattern are: that of the pattern and that of its classes share one place. */

export interface PcreScanner {
  /** Bytes of the pattern, one a character. */
  readonly text: string;
  /** Offset of the next byte. */
  at: number;
  ignoreCase: boolean;
}
