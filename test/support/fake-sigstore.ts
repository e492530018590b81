/**
 * A sigstore of one's own, as small as it can be: a certificate authority, a log of certificates, a log of signatures
 * (a tree of two leaves), and the trusted root that names them. All checks are real; only the keys are new.
 */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { concatBytes } from '../../src/bytes/bytes.ts';
import {
  bitString,
  boolean,
  context,
  encodeElement,
  integer,
  octetString,
  oid,
  sequence,
  time,
  unsignedInteger,
  utf8String,
} from '../../src/formats/der/writer.ts';
import { preAuthEncoding } from '../../src/formats/dsse/envelope.ts';
import { encodeStatement, STATEMENT_PAYLOAD_TYPE } from '../../src/formats/in-toto/statement.ts';
import type { Digest } from '../../src/formats/oci/digest.ts';
import { encodePem } from '../../src/formats/cosign/pem.ts';
import { COSIGN_SIGN_PREDICATE } from '../../src/formats/sigstore-bundle/format.ts';
import { encodeName } from '../../src/formats/x509/name.ts';
import { makeTimestampAuthority } from './fake-timestamps.ts';

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const SCT_LIST = '1.3.6.1.4.1.11129.2.4.2';
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

export const WORKFLOW = 'https://github.com/acme/os/.github/workflows/build.yml@refs/heads/main';
export const ISSUER = 'https://token.actions.githubusercontent.com';

/** Seconds since 1970: when the log saw the signature. The certificate is valid ten minutes from here. */
export const SEEN = 1_700_000_100;

export interface SignerOptions {
  readonly uri?: string;
  readonly email?: string;
  readonly issuer?: string;
  /** Of the second extension, where it is to say something else. */
  readonly issuerV2?: string;
  readonly usage?: 'code' | 'server';
  readonly withoutSct?: boolean;
  /** Seconds since 1970 that the certificate begins at. */
  readonly from?: number;
}

export interface BundleOptions extends SignerOptions {
  readonly predicate?: string;
  readonly payload?: Uint8Array;
  /** What the log is told in place of the truth. */
  readonly logged?: {
    readonly certificate?: Uint8Array;
    readonly signature?: Uint8Array;
    readonly payload?: Uint8Array;
  };
  /** Leaves out the log's promise, and with it the only proof of the time. */
  readonly withoutPromise?: boolean;
  readonly integratedTime?: number;
  readonly twice?: boolean;
  /** A second entry in the same log, at this time: seconds since 1970. */
  readonly again?: number;
  /** Timestamps: the first by the first authority, the second by the second. Seconds since 1970. */
  readonly stamps?: readonly number[];
}

export interface FakeSigstore {
  readonly trustedRoot: TrustedRootDocument;
  /** Two of them, for a trusted root that is to have some. */
  readonly timestampAuthorities: readonly object[];
  /** A signer's certificate, and its key. */
  issue(options?: SignerOptions): { readonly certificate: Uint8Array; readonly key: KeyObject };
  bundle(image: Digest, options?: BundleOptions): Record<string, unknown>;
}

export interface TrustedRootDocument {
  mediaType: string;
  tlogs: object[];
  certificateAuthorities: object[];
  ctlogs: object[];
  timestampAuthorities: object[];
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const spki = (key: KeyObject): Uint8Array => key.export({ type: 'spki', format: 'der' });
const newKey = (): { privateKey: KeyObject; publicKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' });

export function makeFakeSigstore(): FakeSigstore {
  const authority = newKey();
  const log = newKey();
  const certificateLog = newKey();
  const stampers = [makeTimestampAuthority('first clock'), makeTimestampAuthority('second clock')];
  const root = selfSigned(authority.privateKey, authority.publicKey);
  const logId = sha256(spki(log.publicKey));
  const validFor = { start: '2023-01-01T00:00:00Z' };
  const instance = (key: KeyObject, baseUrl: string): object => ({
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: base64(spki(key)), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
    logId: { keyId: base64(sha256(spki(key))) },
  });

  function issue(options: SignerOptions = {}): { certificate: Uint8Array; key: KeyObject } {
    const { privateKey, publicKey } = newKey();
    const plain = leafBody(options, publicKey, []);
    const extra =
      options.withoutSct === true ? [] : [sctExtension(plain, certificateLog, authority.publicKey)];
    return {
      certificate: signed(leafBody(options, publicKey, extra), authority.privateKey),
      key: privateKey,
    };
  }

  return {
    trustedRoot: {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [instance(log.publicKey, 'https://rekor.test')],
      certificateAuthorities: [
        {
          subject: { organization: 'test', commonName: 'test' },
          uri: 'https://fulcio.test',
          certChain: { certificates: [{ rawBytes: base64(root) }] },
          validFor,
        },
      ],
      ctlogs: [instance(certificateLog.publicKey, 'https://ct.test')],
      timestampAuthorities: [],
    },
    timestampAuthorities: stampers.map(({ document }) => document),
    issue,
    bundle(image, options = {}) {
      const { certificate, key } = issue(options);
      const payload = options.payload ?? encodeStatement(image, options.predicate ?? COSIGN_SIGN_PREDICATE);
      const signature = sign('sha256', preAuthEncoding(STATEMENT_PAYLOAD_TYPE, payload), key);
      const told = { certificate, signature, payload, ...options.logged };
      const body = Buffer.from(
        JSON.stringify({
          apiVersion: '0.0.1',
          kind: 'dsse',
          spec: {
            // Of the envelope as it was sent to the log: nobody can check it later.
            envelopeHash: { algorithm: 'sha256', value: sha256(told.signature).toString('hex') },
            payloadHash: { algorithm: 'sha256', value: sha256(told.payload).toString('hex') },
            signatures: [
              {
                signature: base64(told.signature),
                verifier: base64(Buffer.from(encodePem('CERTIFICATE', told.certificate))),
              },
            ],
          },
        }),
      );
      const entryAt = (promised: number, integratedTime = promised): object => ({
        logIndex: '1',
        logId: { keyId: base64(logId) },
        kindVersion: { kind: 'dsse', version: '0.0.1' },
        integratedTime: `${integratedTime}`,
        ...(options.withoutPromise !== true && {
          inclusionPromise: { signedEntryTimestamp: base64(promise(body, promised, logId, log.privateKey)) },
        }),
        inclusionProof: proof(body, logId, log.privateKey),
        canonicalizedBody: base64(body),
      });
      const entry = entryAt(SEEN, options.integratedTime);
      const more =
        options.twice === true ? [entry] : options.again === undefined ? [] : [entryAt(options.again)];
      const rfc3161Timestamps = options.stamps?.map((at, which) => ({
        signedTimestamp: base64(stampers[which].stamp(signature, at)),
      }));
      return {
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: {
          certificate: { rawBytes: base64(certificate) },
          tlogEntries: [entry, ...more],
          ...(rfc3161Timestamps && { timestampVerificationData: { rfc3161Timestamps } }),
        },
        dsseEnvelope: {
          payload: base64(payload),
          payloadType: STATEMENT_PAYLOAD_TYPE,
          signatures: [{ sig: base64(signature) }],
        },
      };
    },
  };
}

/** RFC 8785 of the four members; the keys are in order and the values plain. */
function promise(body: Uint8Array, integratedTime: number, logId: Uint8Array, key: KeyObject): Uint8Array {
  const logID = Buffer.from(logId).toString('hex');
  return sign(
    'sha256',
    Buffer.from(JSON.stringify({ body: base64(body), integratedTime, logID, logIndex: 1 })),
    key,
  );
}

/** A tree of two leaves, ours the second: the path is the first. */
function proof(entry: Uint8Array, logId: Uint8Array, key: KeyObject): object {
  const first = sha256(Uint8Array.of(0));
  const rootHash = sha256(
    concatBytes([Uint8Array.of(1), first, sha256(concatBytes([Uint8Array.of(0), entry]))]),
  );
  const note = `rekor.test - 1\n2\n${base64(rootHash)}\n`;
  const signature = concatBytes([logId.subarray(0, 4), sign('sha256', Buffer.from(note), key)]);
  const envelope = `${note}\n\u2014 rekor.test ${base64(signature)}\n`;
  const hashes = [base64(first)];
  return { logIndex: '1', rootHash: base64(rootHash), treeSize: '2', hashes, checkpoint: { envelope } };
}

const algorithm = sequence(oid(ECDSA_SHA256));

function signed(body: Uint8Array, key: KeyObject): Uint8Array {
  return sequence(body, algorithm, bitString(sign('sha256', body, key)));
}

function body(
  subject: Uint8Array,
  key: KeyObject,
  from: number,
  until: number,
  extensions: readonly Uint8Array[],
): Uint8Array {
  return sequence(
    context(0, integer(2)),
    unsignedInteger(sha256(spki(key)).subarray(0, 16)),
    algorithm,
    encodeName('test authority'),
    sequence(time(new Date(from * 1000)), time(new Date(until * 1000))),
    subject,
    spki(key),
    context(3, sequence(...extensions)),
  );
}

function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

function selfSigned(privateKey: KeyObject, publicKey: KeyObject): Uint8Array {
  const authority = extension('2.5.29.19', sequence(boolean(true)), true);
  const usage = extension('2.5.29.15', bitString(Uint8Array.of(0x06), 1), true);
  return signed(
    body(encodeName('test authority'), publicKey, SEEN - 1e7, SEEN + 1e8, [authority, usage]),
    privateKey,
  );
}

function leafBody(options: SignerOptions, key: KeyObject, extra: readonly Uint8Array[]): Uint8Array {
  const {
    uri = WORKFLOW,
    email,
    issuer = ISSUER,
    issuerV2 = issuer,
    usage = 'code',
    from = SEEN - 100,
  } = options;
  const name =
    email === undefined
      ? encodeElement(0x86, Buffer.from(uri, 'latin1'))
      : encodeElement(0x81, Buffer.from(email, 'latin1'));
  return body(sequence(), key, from, from + 600, [
    extension('2.5.29.15', bitString(Uint8Array.of(0x80), 7), true),
    extension('2.5.29.37', sequence(oid(usage === 'code' ? CODE_SIGNING : SERVER_AUTH))),
    extension('2.5.29.17', sequence(name), true),
    extension(ISSUER_V1, Buffer.from(issuer)),
    extension(ISSUER_V2, utf8String(issuerV2)),
    ...extra,
  ]);
}

/** RFC 6962 section 3.2 and 3.3: the log has signed the certificate as it is without this extension. */
function sctExtension(
  certificate: Uint8Array,
  log: { readonly privateKey: KeyObject; readonly publicKey: KeyObject },
  authority: KeyObject,
): Uint8Array {
  const stamp = number(SEEN * 1000, 8);
  const entry = [
    number(1, 2),
    sha256(spki(authority)),
    number(certificate.length, 3),
    certificate,
    number(0, 2),
  ];
  const signature = sign('sha256', concatBytes([Uint8Array.of(0, 0), stamp, ...entry]), log.privateKey);
  const sct = concatBytes([
    Uint8Array.of(0),
    sha256(spki(log.publicKey)),
    stamp,
    number(0, 2),
    Uint8Array.of(4, 3),
    number(signature.length, 2),
    signature,
  ]);
  const list = concatBytes([number(sct.length + 2, 2), number(sct.length, 2), sct]);
  return extension(SCT_LIST, octetString(list));
}

/** Big-endian. */
function number(value: number, size: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes.subarray(8 - size);
}
