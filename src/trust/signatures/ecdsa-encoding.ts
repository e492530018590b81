/**
 * ECDSA signatures on the wire: DER `SEQUENCE { r INTEGER, s INTEGER }`, or r and s side by side (IEEE P1363). Both
 * are turned into P1363 of the curve's own width before they reach the library, so that only one reading exists.
 */

export type EcdsaForm =
  /** Two DER integers, and nothing wrong with the encoding: `p1363` is what to verify. */
  | { readonly form: 'der' | 'p1363'; readonly p1363: Uint8Array }
  /** Begins as DER, but is not exactly one signature in it (trailing bytes, a negative number, one too long). */
  | { readonly form: 'bad-der' }
  | { readonly form: 'bad-p1363' };

/** Twice the field size of P-521, the longest that the peers take. */
const MAX_P1363_SIZE = 132;

/** `fieldSize`: bytes of r and of s on the curve of the key. */
export function readEcdsaSignature(bytes: Uint8Array, fieldSize: number): EcdsaForm {
  const parsed = readDerPair(bytes);
  if (parsed !== undefined) {
    // A first bit set makes a DER integer negative, and no negative number is a signature.
    const positive = parsed.r[0] < 0x80 && parsed.s[0] < 0x80;
    const whole = parsed.end === bytes.length;
    const p1363 = whole && positive ? join(parsed.r, parsed.s, fieldSize) : undefined;
    return p1363 === undefined ? { form: 'bad-der' } : { form: 'der', p1363 };
  }
  if (bytes.length === 0 || bytes.length > MAX_P1363_SIZE || bytes.length % 2 !== 0)
    return { form: 'bad-p1363' };
  const half = bytes.length / 2;
  const p1363 = join(bytes.subarray(0, half), bytes.subarray(half), fieldSize);
  return p1363 === undefined ? { form: 'bad-p1363' } : { form: 'p1363', p1363 };
}

interface DerPair {
  readonly r: Uint8Array;
  readonly s: Uint8Array;
  readonly end: number;
}

/** What Go's asn1.Unmarshal reads: minimal lengths and integers, any sign; bytes after the sequence are for the caller. */
function readDerPair(bytes: Uint8Array): DerPair | undefined {
  const sequence = readElement(bytes, 0, bytes.length, 0x30);
  if (sequence === undefined) return undefined;
  const r = readElement(bytes, sequence.start, sequence.end, 0x02);
  if (r === undefined) return undefined;
  const s = readElement(bytes, r.end, sequence.end, 0x02);
  if (s === undefined || !isMinimal(bytes, r) || !isMinimal(bytes, s)) return undefined;
  // Go's decoder ignores elements after s within the sequence; the verifier does not, so it is not a signature.
  const end = s.end === sequence.end ? sequence.end : -1;
  return { r: bytes.subarray(r.start, r.end), s: bytes.subarray(s.start, s.end), end };
}

interface Element {
  readonly start: number;
  readonly end: number;
}

function readElement(bytes: Uint8Array, at: number, limit: number, tag: number): Element | undefined {
  if (at + 2 > limit || bytes[at] !== tag) return undefined;
  const first = bytes[at + 1];
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    // A signature is below 256 bytes: one length byte, and only where the short form does not do.
    if (first !== 0x81 || start >= limit || bytes[start] < 0x80) return undefined;
    length = bytes[start];
    start += 1;
  }
  return start + length <= limit ? { start, end: start + length } : undefined;
}

function isMinimal(bytes: Uint8Array, { start, end }: Element): boolean {
  if (end === start) return false;
  if (end - start === 1) return true;
  const first = bytes[start];
  const next = bytes[start + 1];
  return !((first === 0x00 && next < 0x80) || (first === 0xff && next >= 0x80));
}

/** Both numbers at the width of the field, or undefined when one is wider. */
function join(r: Uint8Array, s: Uint8Array, fieldSize: number): Uint8Array | undefined {
  const joined = new Uint8Array(2 * fieldSize);
  for (const [number, end] of [
    [r, fieldSize],
    [s, 2 * fieldSize],
  ] as const) {
    const lead = number.findIndex((byte) => byte !== 0);
    const digits = lead < 0 ? new Uint8Array(0) : number.subarray(lead);
    if (digits.length > fieldSize) return undefined;
    joined.set(digits, end - digits.length);
  }
  return joined;
}
