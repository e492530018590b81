/** Recognising one's own signature: signing again makes other bytes that say the same, and need not be stored. */
import { parsePayload } from '../formats/cosign/payload.ts';
import type { SigstorePrivateKey } from '../formats/cosign/private-key.ts';
import type { RawSignature } from '../formats/cosign/signature.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { formatReference, type DockerReference } from '../formats/reference/docker-reference.ts';
import { judgeSigstoreSignature } from '../trust/signatures/sigstore.ts';

/** By this key, over this digest, under exactly this name. */
export function isSignatureOf(
  signature: RawSignature,
  key: SigstorePrivateKey,
  digest: Digest,
  identity: DockerReference,
): boolean {
  if (signature.kind !== 'sigstore') return false;
  const { accepted } = judgeSigstoreSignature(signature, {
    trust: { kind: 'keys', keys: [{ key: key.publicKey, source: '' }] },
    now: 0,
    identityRule: { type: 'exactReference', dockerReference: formatReference(identity) },
    image: undefined,
    manifestDigest: digest,
  });
  return accepted && parsePayload(signature.payload).dockerReference === formatReference(identity);
}
