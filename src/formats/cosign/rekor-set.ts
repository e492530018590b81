/**
 * A Rekor entry beside a signature: the annotation `dev.sigstore.cosign/bundle`. The log's promise, a signature over
 * the canonical JSON of `Payload` (SET, signed entry timestamp), says that this key's signature over this
 * payload was logged at this time. Strict outside, as containers/image reads it; the body, which the log wrote, may
 * hold members that we do not know.
 */
import { decodeHex } from '../../bytes/hex.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { canonicalJson } from '../strict-json/canonical.ts';
import { exactMembers, goBytes, goInt64, goString, jsonError, typeError } from '../strict-json/go-decode.ts';
import { goQuote } from '../strict-json/go-quote.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';

/** Annotation that holds the entry. */
export const REKOR_SET_ANNOTATION = 'dev.sigstore.cosign/bundle';

/** Real entries are below 8 KiB, with a certificate chain of RSA keys below 32. */
const MAX_SET_SIZE = 256 * 1024;

/** Payload is flat; a body nests four deep. */
const MAX_DEPTH = 16;

export interface RekorSet {
  /** The log's signature, DER, over the SHA-256 of `payload`. */
  readonly signedEntryTimestamp: Uint8Array;
  /** `Payload` in canonical form: what was signed, and what is read. */
  readonly payload: Uint8Array;
}

export interface RekorEntry {
  /** Seconds since 1970, of 64 bits, as the log says; may be negative. */
  readonly integratedTime: bigint;
  /** PEM of the key or certificate that the signature was made with. */
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  /** SHA-256 of the signed payload. */
  readonly payloadHash: Uint8Array;
}

/** Of a signature that is not checked yet. Throws `json/…` with the words of containers/image. */
export function parseRekorSet(bytes: Uint8Array): RekorSet {
  const limits = { maxSize: MAX_SET_SIZE, maxDepth: MAX_DEPTH };
  const members = exactMembers(parseStrictJson(bytes, limits), ['SignedEntryTimestamp', 'Payload']);
  const signedEntryTimestamp = goBytes(members.SignedEntryTimestamp) ?? new Uint8Array(0);
  const { Payload: node } = members;
  try {
    if (node.kind !== 'object' && node.kind !== 'array') {
      throw jsonError('json/type', `Expected '{' but got another value`, node.offset);
    }
    return { signedEntryTimestamp, payload: canonicalJson(node) };
  } catch (error) {
    throw reworded(error, 'canonicalizing Rekor SET JSON: ');
  }
}

/**
 * What the log says, from the canonical payload whose signature was checked; never call it before. Throws `json/…`,
 * `cosign/bad-rekor-entry`.
 */
export function parseRekorEntry(payload: Uint8Array): RekorEntry {
  // 1. The payload, exactly.
  let integratedTime: bigint;
  let body: Uint8Array;
  try {
    const node = parseStrictJson(payload, { maxSize: MAX_SET_SIZE, maxDepth: MAX_DEPTH });
    const members = exactMembers(node, ['body', 'integratedTime', 'logIndex', 'logID']);
    body = goBytes(members.body) ?? new Uint8Array(0);
    integratedTime = goInt64(members.integratedTime);
    goInt64(members.logIndex);
    goString(members.logID);
  } catch (error) {
    throw reworded(error, 'parsing Rekor SET payload: ');
  }
  // 2. The body: of the kinds of entries, the one for a signature over a digest.
  let spec: Fields;
  try {
    const top = readFields(parseStrictJson(body, { maxSize: MAX_SET_SIZE, maxDepth: MAX_DEPTH }));
    const version = top.text('apiVersion');
    spec = top.object('spec');
    const kind = top.text('kind') ?? '';
    if (kind !== 'hashedrekord') throw bad(`invalid kind value: ${goQuote(kind)}`);
    if (version === undefined) throw bad('missing Rekor SET Payload API version');
    if (version !== '0.0.1')
      throw bad(`unsupported Rekor SET Payload hashedrekord version ${goQuote(version)}`);
  } catch (error) {
    const known = isBootsealError(error) && /^(?:missing|unsupported) /.test(error.message);
    throw known ? error : reworded(error, 'decoding the body of a Rekor SET payload: ');
  }
  // 3. Who signed, the signature, and the hash of what was signed.
  try {
    const signature = spec.object('signature', '"signature"');
    const content = signature.bytes('content');
    const publicKey = signature.object('publicKey', '"signature.publicKey"').bytes('content');
    const digest = spec.object('data', '"data"').object('hash', '"data.hash"');
    const algorithm = digest.text('algorithm');
    if (algorithm === undefined) throw missing('"data.hash.algorithm"');
    if (algorithm !== 'sha256') throw bad(`Unexpected "data.hash.algorithm" value ${goQuote(algorithm)}`);
    const value = digest.text('value');
    if (value === undefined) throw missing('"data.hash.value"');
    if (!/^[0-9a-fA-F]{64}$/.test(value)) throw bad('Invalid "data.hash.value" field in hashedrekord');
    return {
      integratedTime,
      publicKey,
      signature: content,
      payloadHash: decodeHex(value.toLowerCase()),
    };
  } catch (error) {
    throw isBootsealError(error) && error.code === 'json/type'
      ? reworded(error, 'decoding hashedrekod spec: ')
      : error;
  }
}

/** Members of an object by name. Absent and null are the same, as for Go's lenient decoder. */
interface Fields {
  text(key: string): string | undefined;
  bytes(key: string): Uint8Array;
  /** `path` names it in the error when it is missing; without it, missing is empty. */
  object(key: string, path?: string): Fields;
}

/**
 * Go's lenient decoder takes names in any case and the last of two. A log has no reason to write either, and another
 * reader would see another entry, so both are refused.
 */
function readFields(node: JsonNode | undefined): Fields {
  const members = new Map<string, JsonNode>();
  const folded = new Set<string>();
  if (node !== undefined && node.kind !== 'null') {
    if (node.kind !== 'object') throw typeError(node, 'internal.RekorHashedrekord');
    for (const { key, keyOffset, value } of node.members) {
      const name = key.toLowerCase();
      if (folded.has(name)) throw jsonError('json/duplicate-key', `Duplicate key ${goQuote(key)}`, keyOffset);
      folded.add(name);
      members.set(key, value);
    }
  }
  const member = (key: string): JsonNode | undefined => {
    const value = members.get(key);
    if (value === undefined && folded.has(key.toLowerCase()))
      throw bad(`Key ${goQuote(key)} in another case`);
    return value?.kind === 'null' ? undefined : value;
  };
  return {
    text: (key) => {
      const value = member(key);
      return value && goString(value);
    },
    bytes: (key) => {
      const value = member(key);
      if (value === undefined) return new Uint8Array(0);
      if (value.kind !== 'string') throw typeError(value, '[]uint8');
      return goBytes(value) ?? new Uint8Array(0);
    },
    object: (key, path) => {
      const value = member(key);
      if (value === undefined && path !== undefined) throw missing(path);
      return readFields(value);
    },
  };
}

function missing(path: string): BootsealError {
  return bad(`Missing ${path} field in hashedrekord`);
}

function bad(message: string): BootsealError {
  return new BootsealError('cosign/bad-rekor-entry', message);
}

function reworded(error: unknown, prefix: string): unknown {
  if (!isBootsealError(error)) return error;
  const { code, message, offset } = error;
  return new BootsealError(code, prefix + message, offset === undefined ? {} : { offset });
}
