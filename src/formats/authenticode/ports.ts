/** What signing needs from outside. */

/** A private RSA key, wherever it is kept. */
export interface Signer {
  /** The public half as SubjectPublicKeyInfo in DER, when it is known before signing. */
  readonly publicKeySpki?: Uint8Array;
  /** RSASSA-PKCS1-v1_5 with SHA-256 over `data`. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}
