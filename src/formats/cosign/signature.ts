/** A signature as it is kept beside an image: what kind it is, and for sigstore its payload and annotations. */
import { concatBytes, encodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { SigstorePublicKey } from './public-key.ts';
import { forEachMember, goBytes, goString } from '../strict-json/go-decode.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';

/** Annotation that holds the base64 of the signature over the payload. */
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
export const CERTIFICATE_ANNOTATION = 'dev.sigstore.cosign/certificate';

/** Neither a MIME type nor annotations are bounded upstream; a payload is, at 4 MiB, and grows by a third in base64. */
const MAX_STORED_SIZE = 8 * 1024 * 1024;

export interface SigstoreSignature {
  readonly kind: 'sigstore';
  readonly mimeType: string;
  readonly payload: Uint8Array;
  readonly annotations: ReadonlyMap<string, string>;
  /** Key of a signature that was made in this process; never stored. ECDSA makes other bytes each time. */
  readonly madeBy?: SigstorePublicKey;
}

export type RawSignature =
  | SigstoreSignature
  | { readonly kind: 'simple-signing'; readonly bytes: Uint8Array };

/** First bytes of an OpenPGP message, as containers/image lists them (0x3d is its own slip for 0x93, kept). */
const OPENPGP_FIRST_BYTES: readonly number[] = [
  0xa0, 0xa1, 0xa2, 0xa3, 0xc8, 0x90, 0x91, 0x92, 0x3d, 0xc4, 0x88, 0x89, 0x8a, 0x8b, 0xc2,
];

const SIGSTORE_HEADER = encodeUtf8('\0sigstore-json\n');

/** A blob of a `dir:` image or of a look-aside store. Throws `cosign/bad-signature-file`: it aborts the whole reading. */
export function parseStoredSignature(bytes: Uint8Array): RawSignature {
  const first = bytes[0];
  if (first === undefined) throw bad('empty signature blob');
  if (first !== 0) {
    if (OPENPGP_FIRST_BYTES.includes(first)) return { kind: 'simple-signing', bytes };
    throw bad(`unrecognized signature format, starting with binary 0x${first.toString(16)}`);
  }
  const end = bytes.indexOf(0x0a);
  if (end < 0) throw bad('invalid signature format, missing newline');
  const name = bytes.subarray(1, end);
  const notAscii = name.find((byte) => byte >= 0x80);
  if (notAscii !== undefined)
    throw bad(`invalid signature format, non-ASCII byte 0x${notAscii.toString(16)}`);
  const format = Buffer.from(name).toString('latin1');
  const body = bytes.subarray(end + 1);
  if (format === 'simple-signing') return { kind: 'simple-signing', bytes: body };
  if (format === 'sigstore-json') return parseSigstoreJson(body);
  throw bad(`unrecognized signature format ${JSON.stringify(format.slice(0, 80))}`);
}

/** Lenient about unknown members, as the peer is, but not about two of one name. */
function parseSigstoreJson(bytes: Uint8Array): SigstoreSignature {
  let mimeType = '';
  let payload: Uint8Array = new Uint8Array(0);
  const annotations = new Map<string, string>();
  try {
    const node = parseStrictJson(bytes, { maxSize: MAX_STORED_SIZE });
    if (node.kind !== 'null') {
      forEachMember(node, (key, value) => {
        if (key === 'mimeType') mimeType = goString(value);
        else if (key === 'payload') payload = goBytes(value) ?? payload;
        else if (key === 'annotations') readAnnotations(value, annotations);
        return true;
      });
    }
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    throw bad(error.message);
  }
  return { kind: 'sigstore', mimeType, payload, annotations };
}

function readAnnotations(node: JsonNode, into: Map<string, string>): void {
  if (node.kind === 'null') return;
  forEachMember(node, (key, value) => {
    into.set(key, goString(value));
    return true;
  });
}

/** Inverse of {@link parseStoredSignature}. */
export function encodeStoredSignature(signature: RawSignature): Uint8Array {
  if (signature.kind === 'simple-signing') return signature.bytes;
  const document = {
    mimeType: signature.mimeType,
    payload: Buffer.from(signature.payload).toString('base64'),
    annotations: sortedAnnotations(signature.annotations),
  };
  return concatBytes([SIGSTORE_HEADER, encodeUtf8(JSON.stringify(document))]);
}

export function sortedAnnotations(
  annotations: ReadonlyMap<string, string>,
): Readonly<Record<string, string>> {
  const sorted = Object.create(null) as Record<string, string>;
  for (const key of [...annotations.keys()].sort()) sorted[key] = annotations.get(key)!;
  return sorted;
}

function bad(message: string): BootsealError {
  return new BootsealError('cosign/bad-signature-file', message);
}
