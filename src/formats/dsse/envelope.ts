/**
 * DSSE, the signing envelope of in-toto: https://github.com/secure-systems-lab/dsse. What is signed is the payload
 * together with its type, so that no payload can be passed off as one of another type.
 */
import { concatBytes, encodeUtf8 } from '../../bytes/bytes.ts';
import { exactMembers, forEachMember, goString, jsonError } from '../strict-json/go-decode.ts';
import { decodeGoBase64 } from '../strict-json/go-base64.ts';
import type { JsonNode } from '../strict-json/json-node.ts';

export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  /** Exactly one: two signers in one envelope would leave open which of them counts. */
  readonly signature: Uint8Array;
}

/** What the signature is over: `DSSEv1 LEN(type) type LEN(payload) payload`, lengths in decimal bytes. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encodeUtf8(payloadType);
  return concatBytes([
    encodeUtf8(`DSSEv1 ${type.length} `),
    type,
    encodeUtf8(` ${payload.length} `),
    payload,
  ]);
}

/**
 * Reads an envelope out of a document already parsed. Throws `bundle/malformed` and `json/…` with the byte offset.
 * `keyid` is a hint that nobody signs: it is read and forgotten.
 */
export function readEnvelope(node: JsonNode): Envelope {
  const { payload, payloadType, signatures } = exactMembers(node, ['payload', 'payloadType', 'signatures']);
  if (signatures.kind !== 'array' || signatures.items.length !== 1) {
    throw jsonError('bundle/malformed', 'an envelope has exactly one signature', signatures.offset);
  }
  const [only] = signatures.items;
  let signature: Uint8Array | undefined;
  forEachMember(only, (key, value) => {
    if (key === 'sig') signature = readBase64(value, 'sig');
    else if (key === 'keyid') goString(value);
    else return false;
    return true;
  });
  if (signature === undefined || signature.length === 0) {
    throw jsonError('bundle/malformed', 'the signature is missing', only.offset);
  }
  return { payloadType: goString(payloadType), payload: readBase64(payload, 'payload'), signature };
}

/** Standard base64 with padding. The protobuf rules also know the URL alphabet; nobody writes it here. */
export function readBase64(node: JsonNode, what: string): Uint8Array {
  if (node.kind !== 'string') throw jsonError('bundle/malformed', `${what} is not a string`, node.offset);
  const decoded = /[\r\n]/.test(node.value) ? 0 : decodeGoBase64(node.value);
  if (typeof decoded === 'number') throw jsonError('bundle/malformed', `${what} is not base64`, node.offset);
  return decoded;
}

/** The members of an envelope in the order and form in which cosign writes them. */
export function envelopeMembers(envelope: Envelope): object {
  return {
    payload: Buffer.from(envelope.payload).toString('base64'),
    payloadType: envelope.payloadType,
    signatures: [{ sig: Buffer.from(envelope.signature).toString('base64') }],
  };
}
