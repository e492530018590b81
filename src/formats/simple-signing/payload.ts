/** The signed payload of simple signing: containers-signature(5). cosign took its shape over, so the reader is shared. */
import { encodePayload, parsePayload, type PayloadKind, type SigningPayload } from '../cosign/payload.ts';

const ATOMIC: PayloadKind = { type: 'atomic container signature', optionalMayBeNull: false };

/**
 * Reads a payload whose signature has been checked; never call it before. Throws `json/…`, `cosign/bad-payload` with
 * the words of containers/image.
 */
export function parseSimplePayload(bytes: Uint8Array): SigningPayload {
  return parsePayload(bytes, ATOMIC);
}

/** Compact, keys sorted, escaped as Go escapes: byte for byte what containers/image signs. */
export function encodeSimplePayload(payload: SigningPayload): Uint8Array {
  return encodePayload(payload, ATOMIC);
}
