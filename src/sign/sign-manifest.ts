/** One manifest digest under one name, signed with a sigstore key, in the form that containers/image writes. */
import { sign } from 'node:crypto';
import { BootsealError } from '../errors.ts';
import { encodePayload } from '../formats/cosign/payload.ts';
import type { SigstorePrivateKey } from '../formats/cosign/private-key.ts';
import { SIGNATURE_ANNOTATION, type SigstoreSignature } from '../formats/cosign/signature.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { MEDIA_TYPES } from '../formats/oci/media-types.ts';
import {
  formatReference,
  parseDockerReference,
  type DockerReference,
} from '../formats/reference/docker-reference.ts';
import { goQuote } from '../formats/strict-json/go-quote.ts';

export interface SignOptions {
  /** Recorded in the signature, `bootseal 0.1.0`; nobody checks it. */
  readonly creator?: string;
  /** Seconds since 1970, recorded likewise. */
  readonly timestamp?: number;
}

/**
 * `identity` is the name that verifiers will compare: repository with tag, or with digest. Throws
 * `sign/bare-identity`, `sign/digest-algorithm`.
 */
export function signManifest(
  digest: Digest,
  identity: DockerReference,
  key: SigstorePrivateKey,
  options: SignOptions = {},
): SigstoreSignature {
  checkSignable(digest, identity);
  const payload = encodePayload({
    manifestDigest: digest,
    dockerReference: formatReference(identity),
    ...options,
  });
  return {
    kind: 'sigstore',
    mimeType: MEDIA_TYPES.cosignSimpleSigning,
    payload,
    annotations: new Map([[SIGNATURE_ANNOTATION, signBytes(key, payload).toString('base64')]]),
    madeBy: key.publicKey,
  };
}

/** What no verifier would accept is not signed. Throws `sign/bare-identity`, `sign/digest-algorithm`. */
export function checkSignable(digest: Digest, identity: DockerReference): void {
  if (identity.tag === undefined && identity.digest === undefined) {
    throw new BootsealError(
      'sign/bare-identity',
      `reference ${formatReference(identity)} can’t be signed, it has neither a tag nor a digest`,
      { exit: 2, hint: 'name the tag: --sign-identity REPOSITORY:TAG' },
    );
  }
  if (!digest.startsWith('sha256:')) {
    throw new BootsealError('sign/digest-algorithm', `no verifier accepts a signature over ${digest}`, {
      hint: 'containers/image compares SHA-256 manifest digests only',
    });
  }
}

/** SHA-256 whatever the curve; Ed25519 is pure: the only forms that containers/image verifies. */
function signBytes(key: SigstorePrivateKey, payload: Uint8Array): Buffer {
  const algorithm = key.publicKey.algorithm === 'ed25519' ? null : 'sha256';
  return sign(algorithm, payload, { key: key.key, dsaEncoding: 'der' });
}

/** `--sign-identity TEXT`. Throws `sign/bare-identity` in skopeo's words. */
export function parseSignIdentity(text: string): DockerReference {
  const reference = parseDockerReference(text);
  if (reference.tag === undefined && reference.digest === undefined) {
    throw new BootsealError(
      'sign/bare-identity',
      `Sign identity must be a fully specified reference ${goQuote(text).slice(1, -1)}`,
      {
        exit: 2,
        hint: `add the tag: ${formatReference(reference)}:TAG`,
      },
    );
  }
  return reference;
}
