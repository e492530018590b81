/**
 * A reading position in a byte array. Every read checks its bounds first, so that a parser built on it
 * never trusts a length: reading past the end is a BootsealError with the offset.
 */
import { BootsealError, type ErrorCode } from '../errors.ts';

export class Cursor {
  readonly bytes: Uint8Array;
  /** Offset of the next byte, from the start of `bytes`. */
  offset: number;
  readonly end: number;
  readonly #view: DataView;
  readonly #code: ErrorCode;

  /** `code` is the error code used for a read past `end`. */
  constructor(bytes: Uint8Array, code: ErrorCode, offset = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.#code = code;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (offset < 0 || offset > end || end > bytes.length) {
      throw new BootsealError(code, `range ${offset}..${end} lies outside ${bytes.length} bytes`, { offset });
    }
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  /** A view, not a copy. */
  take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  #advance(length: number): number {
    if (!Number.isInteger(length) || length < 0 || length > this.end - this.offset) {
      throw new BootsealError(this.#code, `need ${length} bytes, ${this.end - this.offset} remain`, {
        offset: this.offset,
      });
    }
    const at = this.offset;
    this.offset += length;
    return at;
  }
}
