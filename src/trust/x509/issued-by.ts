/** Whether the key of one certificate signed another, with the algorithms that Go's x509 verifies. */
import { constants, verify, type KeyObject } from 'node:crypto';
import { equalBytes } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import { OID } from '../../formats/der/oid.ts';
import { context, integer, nullValue, oid, sequence } from '../../formats/der/writer.ts';
import { verifiesEcdsaDer } from '../signatures/verify-bytes.ts';
import type { PathCertificate } from './path-certificate.ts';

interface Algorithm {
  readonly key: 'rsa' | 'ecdsa' | 'ed25519';
  readonly hash: string | null;
  /** RSA only: length of the PSS salt, which is the hash's; absent for PKCS #1 v1.5. */
  readonly salt?: number;
}

/** What is not here is refused: MD5 and SHA-1 among it, because collisions of them can be made. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  [OID.sha256WithRsa, { key: 'rsa', hash: 'sha256' }],
  [OID.sha384WithRsa, { key: 'rsa', hash: 'sha384' }],
  [OID.sha512WithRsa, { key: 'rsa', hash: 'sha512' }],
  [OID.ecdsaWithSha256, { key: 'ecdsa', hash: 'sha256' }],
  [OID.ecdsaWithSha384, { key: 'ecdsa', hash: 'sha384' }],
  [OID.ecdsaWithSha512, { key: 'ecdsa', hash: 'sha512' }],
  [OID.ed25519, { key: 'ed25519', hash: null }],
]);

const INSECURE: ReadonlyMap<string, string> = new Map([
  [OID.md5WithRsa, 'MD5-RSA'],
  [OID.sha1WithRsa, 'SHA1-RSA'],
  [OID.ecdsaWithSha1, 'ECDSA-SHA1'],
]);

const FAILURES = {
  rsa: 'crypto/rsa: verification error',
  ecdsa: 'x509: ECDSA verification failure',
  ed25519: 'x509: Ed25519 verification failure',
} as const;
const GO_NAMES = { rsa: 'RSA', ecdsa: 'ECDSA', ed25519: 'Ed25519' } as const;
const GO_TYPES = { rsa: '*rsa.PublicKey', ecdsa: '*ecdsa.PublicKey', ed25519: 'ed25519.PublicKey' } as const;

/** Throws `x509/bad-signature`, `x509/not-authority`, `x509/algorithm`. Names and dates: see the caller. */
export function checkIssuedBy(child: PathCertificate, parent: PathCertificate): void {
  // 1. RFC 5280 sections 4.2.1.9 and 4.2.1.3: only an authority that may sign certificates. Before version 3 there
  //    was no way to say so.
  const { basicConstraints, keyUsages } = parent;
  const mayBeAuthority =
    basicConstraints === undefined ? parent.certificate.version < 3 : basicConstraints.authority;
  const restricted = keyUsages !== undefined && keyUsages.length > 0;
  if (!mayBeAuthority || (restricted && !keyUsages.includes('keyCertSign'))) {
    throw new BootsealError(
      'x509/not-authority',
      'x509: invalid signature: parent certificate cannot sign this kind of certificate',
    );
  }
  // 2. The signature over the encoded certificate.
  const { signatureAlgorithm, encodedAlgorithm, tbs, signature } = child.certificate;
  const insecure = INSECURE.get(signatureAlgorithm);
  if (insecure !== undefined) throw refused(`cannot verify signature: insecure algorithm ${insecure}`);
  const algorithm =
    signatureAlgorithm === OID.rsaPss ? pssAlgorithm(encodedAlgorithm) : ALGORITHMS.get(signatureAlgorithm);
  const { publicKey } = parent;
  if (algorithm === undefined || publicKey === undefined)
    throw refused('cannot verify signature: algorithm unimplemented');
  if (algorithm.key !== publicKey.algorithm)
    throw refused(
      `signature algorithm specifies an ${GO_NAMES[algorithm.key]} public key, but have public key of type ${GO_TYPES[publicKey.algorithm]}`,
    );
  const good =
    algorithm.key === 'ecdsa'
      ? verifiesEcdsaDer(publicKey, algorithm.hash ?? '', tbs, signature)
      : verifiesOther(publicKey.key, algorithm, tbs, signature);
  if (!good) throw new BootsealError('x509/bad-signature', FAILURES[algorithm.key]);
}

function verifiesOther(
  key: KeyObject,
  { key: kind, hash, salt }: Algorithm,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const padding =
    salt === undefined
      ? { padding: constants.RSA_PKCS1_PADDING }
      : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt };
  try {
    return verify(hash, data, kind === 'rsa' ? { key, ...padding } : key, signature);
  } catch {
    // OpenSSL throws for some malformed signatures instead of saying no.
    return false;
  }
}

/** RFC 4055 has many options; as Go does, only the three with one hash throughout are read. */
function pssAlgorithm(encoded: Uint8Array): Algorithm | undefined {
  return PSS.find(({ encodings }) => encodings.some((each) => equalBytes(each, encoded)))?.algorithm;
}

const PSS: readonly { readonly algorithm: Algorithm; readonly encodings: readonly Uint8Array[] }[] = (
  [
    [OID.sha256, 'sha256', 32],
    [OID.sha384, 'sha384', 48],
    [OID.sha512, 'sha512', 64],
  ] as const
).map(([id, hash, salt]) => {
  const hashes = [sequence(oid(id), nullValue()), sequence(oid(id))];
  const encodings = hashes.flatMap((own) =>
    hashes.map((masks) =>
      sequence(
        oid(OID.rsaPss),
        sequence(context(0, own), context(1, sequence(oid(OID.mgf1), masks)), context(2, integer(salt))),
      ),
    ),
  );
  return { algorithm: { key: 'rsa', hash, salt }, encodings };
});

function refused(message: string): BootsealError {
  return new BootsealError('x509/algorithm', `x509: ${message}`);
}
