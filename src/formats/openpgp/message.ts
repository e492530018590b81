/**
 * A signed message as simple signing has it: one signature and one literal, in one compressed packet or bare, and
 * nothing else (containers-signature(5)). GnuPG takes more forms, where bytes that nobody signed stand beside signed
 * ones; those are refused here.
 */
import { inflateRawSync, inflateSync } from 'node:zlib';
import { BootsealError, isBootsealError, type ErrorCode } from '../../errors.ts';
import { MAX_DECOMPRESSED_SIZE, MAX_MESSAGE_SIZE, SIGNATURE_TYPES, TAGS } from './format.ts';
import { readNumber, readPackets, type Packet } from './packets.ts';
import { parseSignature, type Signature } from './signature.ts';

export interface SignedMessage {
  readonly signature: Signature;
  /** What is signed, as it is hashed. */
  readonly signed: Uint8Array;
  /** What it means: without carriage returns where the literal says that it is text. */
  readonly content: Uint8Array;
}

/** More than the three packets of a message, so that a count of signatures can be told. */
const MAX_PACKETS = 64;

/**
 * Throws `openpgp/bad-message`, `openpgp/no-signature`, `openpgp/several-signatures`, `openpgp/unsupported-version`,
 * `openpgp/bad-compression`, `openpgp/too-large`, `openpgp/trailing-data`, `openpgp/malformed-packet`: each is a
 * signature to be refused, and no more than that. Where GPGME has fixed words for it the message begins with them.
 */
export function parseSignedMessage(bytes: Uint8Array): SignedMessage {
  if (bytes.length > MAX_MESSAGE_SIZE) {
    throw failure('openpgp/too-large', `exceeded maximum allowed size of ${MAX_MESSAGE_SIZE} bytes`);
  }
  const outer = readMessagePackets(bytes);
  const [first] = outer;
  if (first?.tag !== TAGS.compressed) return fromPackets(outer);
  const inner = decompress(first);
  const packets = fromPackets(readMessagePackets(inner));
  if (outer.length > 1) {
    throw failure('openpgp/trailing-data', 'Bad data: something follows the signed message', outer[1].offset);
  }
  return packets;
}

function readMessagePackets(bytes: Uint8Array): Packet[] {
  try {
    return readPackets(bytes, MAX_PACKETS);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    throw failure(error.code, `No data: ${error.message}`, error.offset);
  }
}

/** Exactly one-pass, literal, signature; or signature, literal. */
function fromPackets(packets: readonly Packet[]): SignedMessage {
  const tags = packets.map(({ tag }) => tag);
  const count = tags.filter((tag) => tag === TAGS.signature).length;
  const literals = tags.filter((tag) => tag === TAGS.literal).length;
  const starts = tags.filter((tag) => tag === TAGS.onePassSignature).length;
  if (count > 1 && literals === 1) {
    throw failure('openpgp/several-signatures', `Unexpected GPG signature count ${count}`);
  }
  if (literals > 1) throw failure('openpgp/bad-message', 'Bad data: more than one signed text');
  if (count === 0) throw failure('openpgp/no-signature', 'No data: no signature packet');
  if (literals === 0) {
    throw failure(
      'openpgp/no-signature',
      'Unexpected GPG signature count 0: no signed text beside the signature',
    );
  }
  const order = tags.join(' ');
  if (order === `${TAGS.onePassSignature} ${TAGS.literal} ${TAGS.signature}`) {
    const [start, literal, end] = packets;
    const signature = readSignature(end);
    const { body } = start;
    // What a one-pass reader would compute must be what the signature is about.
    if (
      body.length !== 13 ||
      body[0] !== 3 ||
      body[1] !== signature.type ||
      body[2] !== signature.hashAlgorithm
    ) {
      throw failure('openpgp/bad-message', 'No data: the packet before the text announces another signature');
    }
    return withLiteral(signature, literal);
  }
  if (order === `${TAGS.signature} ${TAGS.literal}`)
    return withLiteral(readSignature(packets[0]), packets[1]);
  throw failure(
    'openpgp/bad-message',
    `Bad data: ${packets.length} packets${starts > 1 ? ', several starts' : ''}`,
  );
}

function readSignature({ body, offset }: Packet): Signature {
  try {
    return parseSignature(body);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const words = error.code === 'openpgp/unsupported-version' ? 'No data' : 'Invalid GPG signature';
    throw failure(error.code, `${words}: ${error.message}`, error.offset ?? offset);
  }
}

/** RFC 9580 section 5.9: format, file name, date, text. The name is not looked at and never shown. */
function withLiteral(signature: Signature, { body, offset }: Packet): SignedMessage {
  const start = body.length < 2 ? Infinity : 2 + readNumber(body, 1, 1) + 4;
  if (start > body.length)
    throw failure('openpgp/bad-message', 'Bad data: the signed text is cut off', offset);
  const format = String.fromCharCode(body[0]);
  if (!['b', 't', 'u'].includes(format)) {
    throw failure('openpgp/bad-message', 'Bad data: signed text of an unknown format', offset);
  }
  if (signature.type !== SIGNATURE_TYPES.binary && signature.type !== SIGNATURE_TYPES.text) {
    const type = signature.type.toString(16).padStart(2, '0');
    throw failure(
      'openpgp/bad-message',
      `Invalid GPG signature: type 0x${type} does not sign documents`,
      offset,
    );
  }
  const signed = body.subarray(start);
  return { signature, signed, content: format === 'b' ? signed : signed.filter((byte) => byte !== 0x0d) };
}

const COMPRESSION_NAMES: Readonly<Record<number, string>> = { 0: 'none', 3: 'bzip2' };

function decompress({ body, offset }: Packet): Uint8Array {
  const algorithm = body[0];
  if (algorithm !== 1 && algorithm !== 2) {
    const name = COMPRESSION_NAMES[algorithm];
    const detail = name === undefined ? '' : `: ${name} is not supported`;
    throw failure('openpgp/bad-compression', `Unknown compression algorithm${detail}`, offset);
  }
  const input = body.subarray(1);
  const { buffer, used } = inflate(input, algorithm === 1, offset);
  // Bytes after the stream are signed by nobody, whoever put them there.
  if (used < input.length) {
    throw failure(
      'openpgp/trailing-data',
      'Bad data: something follows the signed message',
      offset + 2 + used,
    );
  }
  return buffer;
}

function inflate(
  input: Uint8Array,
  raw: boolean,
  offset: number,
): { readonly buffer: Uint8Array; readonly used: number } {
  try {
    const options = { info: true, maxOutputLength: MAX_DECOMPRESSED_SIZE } as const;
    // With `info` the result has the engine too; the types know only the bytes.
    const result = (raw ? inflateRawSync : inflateSync)(input, options) as unknown as {
      readonly buffer: Uint8Array;
      readonly engine: { readonly bytesWritten: number };
    };
    return { buffer: result.buffer, used: result.engine.bytesWritten };
  } catch (cause) {
    const isBomb = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    const message = isBomb
      ? `exceeded maximum allowed size of ${MAX_DECOMPRESSED_SIZE} bytes`
      : 'No data: the compressed message is damaged';
    throw new BootsealError(isBomb ? 'openpgp/too-large' : 'openpgp/bad-compression', message, {
      cause,
      offset,
    });
  }
}

function failure(code: ErrorCode, message: string, offset?: number): BootsealError {
  return new BootsealError(code, message, offset === undefined ? {} : { offset });
}
