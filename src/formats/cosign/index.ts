/** Keys, payloads, stored signatures and attachments as cosign, skopeo and podman share them. */
export { attachmentTag, buildAttachment, parseAttachment, signatureFromLayer } from './attachment.ts';
export { encodePayload, parsePayload, type SigningPayload } from './payload.ts';
export { decryptPrivateKey, encryptPrivateKey, type SigstorePrivateKey } from './private-key.ts';
export { encodePublicKey, parsePublicKey, type SigstorePublicKey } from './public-key.ts';
export {
  encodeStoredSignature,
  parseStoredSignature,
  type RawSignature,
  type SigstoreSignature,
} from './signature.ts';
