/**
 * What a verifier asks of one signature. Ours are the strictest; the others describe programs in the field, whose own
 * verdicts `uki verify --as` gives. They differ in what they were seen to do, not in what their manuals say.
 */
import { OID } from '../der/oid.ts';
import type { ImageHash } from './digest.ts';

export interface SignatureRules {
  /** Image hashes by object identifier. */
  readonly imageHashes: ReadonlyMap<string, ImageHash>;
  /** `same`: the content, the signer and the list name one algorithm. `listed`: the signer's is in the list. */
  readonly algorithms: 'same' | 'listed';
  /** A longer image hash counts when it starts with the right one. */
  readonly hashPrefix: boolean;
  /** The contentType attribute may be missing or wrong, and messageDigest repeated: the first counts. */
  readonly looseAttributes: boolean;
  /** The content may be wrapped in an OCTET STRING, as in CMS. */
  readonly octetString: boolean;
  /** The flags of SpcPeImageData must be a valid BIT STRING: pesign's are not. */
  readonly validFlags: boolean;
  readonly ecdsa: boolean;
  /** Lengths may be longer than needed. */
  readonly longLengths: boolean;
  /** `any`: the chain may end at every trusted certificate. `root`: only at one that is self-signed. */
  readonly trust: 'any' | 'root';
  /** Refuses certificates out of date. */
  readonly dates: boolean;
}

const SHA2: ReadonlyMap<string, ImageHash> = new Map([
  [OID.sha256, 'sha256'],
  [OID.sha384, 'sha384'],
  [OID.sha512, 'sha512'],
]);

/** Never more lenient than firmware, and the same for every reader of the file. */
export const STRICT: SignatureRules = {
  imageHashes: SHA2,
  algorithms: 'same',
  hashPrefix: false,
  looseAttributes: false,
  octetString: false,
  validFlags: false,
  ecdsa: false,
  longLengths: false,
  trust: 'any',
  dates: false,
};

/** OVMF of 2025: edk2's AuthenticodeVerify around OpenSSL. */
export const FIRMWARE: SignatureRules = {
  ...STRICT,
  imageHashes: new Map([...SHA2, [OID.sha1, 'sha1']]),
  looseAttributes: true,
  longLengths: true,
};

/** sbsigntool 0.9.5. */
export const SBVERIFY: SignatureRules = {
  ...STRICT,
  imageHashes: new Map([[OID.sha256, 'sha256']]),
  algorithms: 'listed',
  looseAttributes: true,
  octetString: true,
  ecdsa: true,
  longLengths: true,
};

/** osslsigncode 2.14 with OpenSSL 3. */
export const OSSLSIGNCODE: SignatureRules = {
  ...FIRMWARE,
  algorithms: 'listed',
  hashPrefix: true,
  validFlags: true,
  ecdsa: true,
  trust: 'root',
  dates: true,
};
