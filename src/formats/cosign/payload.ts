/**
 * The signed payload of a cosign container signature (the "simple signing" JSON with cosign's type), written byte for
 * byte as containers/image writes it and read as strictly as it reads.
 */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { exactMembers, forEachMember, goString, jsonError, typeError } from '../strict-json/go-decode.ts';
import { goQuote } from '../strict-json/go-quote.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';

/** What differs between the payload of cosign and that of simple signing. */
export interface PayloadKind {
  readonly type: string;
  /** cosign writes `"optional": null` when there is nothing to say. */
  readonly optionalMayBeNull: boolean;
}

const COSIGN: PayloadKind = { type: 'cosign container image signature', optionalMayBeNull: true };

/** The limit of containers/image for one signature. */
export const MAX_PAYLOAD_SIZE: number = 4 * 1024 * 1024;

export interface SigningPayload {
  readonly manifestDigest: Digest;
  /** As signed: not normalised, not even known to be a reference. */
  readonly dockerReference: string;
  readonly creator?: string;
  /** Seconds since 1970. */
  readonly timestamp?: number;
}

/**
 * Reads a payload whose signature has been checked; never call it before. Throws `json/…`, `cosign/bad-payload` with
 * the words of containers/image.
 */
export function parsePayload(bytes: Uint8Array, kind: PayloadKind = COSIGN): SigningPayload {
  const { critical, optional } = exactMembers(parseStrictJson(bytes, { maxSize: MAX_PAYLOAD_SIZE }), [
    'critical',
    'optional',
  ]);
  const extra = kind.optionalMayBeNull && optional.kind === 'null' ? {} : readOptional(optional);
  const { type, image, identity } = exactMembers(critical, ['type', 'image', 'identity']);
  const typeName = goString(type);
  if (typeName !== kind.type) {
    const shown = goQuote(typeName).slice(1, -1);
    throw jsonError('cosign/bad-payload', `Unrecognized signature type ${shown}`, type.offset);
  }
  const digestNode = exactMembers(image, ['docker-manifest-digest'])['docker-manifest-digest'];
  const manifestDigest = goString(digestNode);
  if (!isDigest(manifestDigest)) {
    const message = `invalid docker-manifest-digest value ${goQuote(manifestDigest)}: ${digestFault(manifestDigest)}`;
    throw jsonError('cosign/bad-payload', message, digestNode.offset);
  }
  const dockerReference = goString(exactMembers(identity, ['docker-reference'])['docker-reference']);
  return { manifestDigest, dockerReference, ...extra };
}

/** Unknown members are ignored, a second one of a name is not. */
function readOptional(node: JsonNode): Pick<SigningPayload, 'creator' | 'timestamp'> {
  let creator: string | undefined;
  let timestamp: number | undefined;
  forEachMember(node, (key, value) => {
    if (key === 'creator') creator = goString(value);
    else if (key === 'timestamp') timestamp = readTimestamp(value);
    return true;
  });
  return { ...(creator !== undefined && { creator }), ...(timestamp !== undefined && { timestamp }) };
}

/** A number that is an integer of 64 bits, however it is spelt; null leaves zero. */
function readTimestamp(node: JsonNode): number {
  if (node.kind === 'null') return 0;
  if (node.kind !== 'number') throw typeError(node, 'float64');
  const value = Number(node.text);
  if (!Number.isFinite(value)) {
    const message = `json: cannot unmarshal number ${node.text} into Go value of type float64`;
    throw jsonError('json/type', message.slice(0, 200), node.offset);
  }
  if (!Number.isInteger(value) || value >= 2 ** 63 || value < -(2 ** 63)) {
    throw jsonError('cosign/bad-payload', 'Field optional.timestamp is not an integer', node.offset);
  }
  return value;
}

function digestFault(text: string): string {
  const match = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):[a-fA-F0-9=_-]+$/.exec(text);
  if (match === null) return 'invalid checksum digest format';
  const size = { sha256: 64, sha384: 96, sha512: 128 }[match[1]];
  if (size === undefined) return 'unsupported digest algorithm';
  const hex = text.slice(match[1].length + 1);
  return hex.length === size ? 'invalid checksum digest format' : 'invalid checksum digest length';
}

/** Compact, keys sorted, `<`, `>` and `&` escaped: what Go's json.Marshal makes of these maps. */
export function encodePayload(payload: SigningPayload, kind: PayloadKind = COSIGN): Uint8Array {
  const { manifestDigest, dockerReference, creator, timestamp } = payload;
  const text = JSON.stringify({
    critical: {
      identity: { 'docker-reference': dockerReference },
      image: { 'docker-manifest-digest': manifestDigest },
      type: kind.type,
    },
    optional: { ...(creator !== undefined && { creator }), ...(timestamp !== undefined && { timestamp }) },
  });
  const escaped = text.replaceAll(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return encodeUtf8(escaped);
}
