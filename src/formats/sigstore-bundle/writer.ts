/** Writes a bundle that was signed with a key, byte for byte as cosign 3 does. */
import { createHash } from 'node:crypto';
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { envelopeMembers, type Envelope } from '../dsse/envelope.ts';
import { BUNDLE_MEDIA_TYPE } from './format.ts';

/** The hint by which cosign names a key: base64 of the SHA-256 of its SubjectPublicKeyInfo. */
export function keyHint(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('base64');
}

export function encodeKeyBundle(envelope: Envelope, hint: string): Uint8Array {
  return encodeUtf8(
    JSON.stringify({
      mediaType: BUNDLE_MEDIA_TYPE,
      verificationMaterial: { publicKey: { hint } },
      dsseEnvelope: envelopeMembers(envelope),
    }),
  );
}
