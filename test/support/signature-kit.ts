/**
 * Keys, certificates and a log for generated cases, and signatures of every kind made with them: good ones, and
 * each with one thing wrong.
 */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { encodePem } from '../../src/formats/cosign/pem.ts';
import { encodePayload } from '../../src/formats/cosign/payload.ts';
import { encodeStoredSignature, SIGNATURE_ANNOTATION } from '../../src/formats/cosign/signature.ts';
import type { Digest } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { canonicalJson } from '../../src/formats/strict-json/canonical.ts';
import { parseStrictJson } from '../../src/formats/strict-json/parser.ts';
import {
  alternativeNames,
  ca,
  CODE_SIGNING,
  extendedUsage,
  makeCertificate,
  oidcIssuer,
  usage,
  type MadeCertificate,
} from './x509-maker.ts';

export const SIGSTORE_KEYS = ['p256a', 'p256b', 'p384', 'rsa', 'ed25519'] as const;
export const GPG_KEYS = ['gpg-a', 'gpg-b'] as const;
export const LOGS = ['rekor-a', 'rekor-b'] as const;
export type SigstoreKeyName = (typeof SIGSTORE_KEYS)[number];
export type GpgKeyName = (typeof GPG_KEYS)[number];
export type LogName = (typeof LOGS)[number];

export const EMAIL = 'dev@example.com';
export const OTHER_EMAIL = 'ops@example.com';
export const ISSUER = 'https://issuer.example.com';

/** When the certificates of the authority for short-lived ones are valid: ten minutes of 2024. */
const LOGGED_AT = Date.parse('2024-01-15T12:05:00Z') / 1000;

export interface SetOptions {
  readonly log: LogName;
  /** What the entry says wrongly, or is made of. */
  readonly fault?: 'key' | 'signature' | 'payload' | 'changed' | 'time' | 'kind' | 'garbage';
}

export interface SigstoreOptions {
  readonly digest: string;
  readonly identity: string;
  /** A key, or the certificate of whom. */
  readonly by: SigstoreKeyName | 'fulcio' | 'fulcio-other' | 'pki' | 'pki-other';
  readonly set?: SetOptions;
  readonly fault?:
    | 'base64'
    | 'no-annotation'
    | 'mime'
    | 'payload-json'
    | 'payload-type'
    | 'signature'
    | 'no-chain'
    | 'raw';
}

export interface SimpleOptions {
  readonly digest: string;
  readonly identity: string;
  readonly by: GpgKeyName;
  readonly fault?: 'type' | 'json' | 'cut';
}

export interface SignatureKit {
  /** Folder with `NAME.pub`, `NAME.gpg`, `fulcio-root.pem`, `pki-root.pem`, … */
  readonly folder: string;
  sigstore(options: SigstoreOptions): Uint8Array;
  simple(options: SimpleOptions): Promise<Uint8Array>;
}

interface Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export async function makeSignatureKit(folder: string): Promise<SignatureKit> {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, content: string | Uint8Array): void =>
    writeFileSync(join(folder, name), content);
  const curve = (namedCurve: string): Pair => generateKeyPairSync('ec', { namedCurve });
  const pairs: Record<SigstoreKeyName | LogName, Pair> = {
    p256a: curve('P-256'),
    p256b: curve('P-256'),
    p384: curve('P-384'),
    rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ed25519: generateKeyPairSync('ed25519'),
    'rekor-a': curve('P-256'),
    'rekor-b': curve('P-384'),
  };
  for (const [name, { publicKey }] of Object.entries(pairs)) write(`${name}.pub`, publicPem(publicKey));
  write('garbage.pub', 'no key\n');

  const gpg = new Map<GpgKeyName, openpgp.PrivateKey>();
  for (const name of GPG_KEYS) {
    const { privateKey, publicKey } = await openpgp.generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: [{ name, email: `${name}@example.com` }],
      date: new Date('2020-01-01T00:00:00Z'),
      format: 'object',
    });
    gpg.set(name, privateKey);
    write(`${name}.gpg`, publicKey.write());
  }

  const authority = (name: string): Authority => {
    const root = makeCertificate({ name: `${name} root`, extensions: [ca(), usage(5)] });
    const intermediate = makeCertificate({
      name: `${name} intermediate`,
      issuer: root,
      extensions: [ca(true, 0), usage(5), extendedUsage(CODE_SIGNING)],
    });
    write(`${name}-root.pem`, root.pem);
    write(`${name}-intermediate.pem`, intermediate.pem);
    return { root, intermediate };
  };
  const fulcio = authority('fulcio');
  const pki = authority('pki');
  const shortLived = { notBefore: '2024-01-15T12:00:00Z', notAfter: '2024-01-15T12:10:00Z' };
  const leaf = (from: Authority, email: string, isFulcio: boolean): MadeCertificate =>
    makeCertificate({
      name: isFulcio ? '' : 'leaf',
      issuer: from.intermediate,
      ...(isFulcio && shortLived),
      extensions: [
        usage(0),
        extendedUsage(CODE_SIGNING),
        alternativeNames({ emails: [email], dns: isFulcio ? [] : ['build.example.com'] }, isFulcio),
        ...(isFulcio ? oidcIssuer(ISSUER) : []),
      ],
    });
  const holders: Record<string, { readonly leaf: MadeCertificate; readonly from: Authority }> = {
    fulcio: { leaf: leaf(fulcio, EMAIL, true), from: fulcio },
    'fulcio-other': { leaf: leaf(fulcio, OTHER_EMAIL, true), from: fulcio },
    pki: { leaf: leaf(pki, EMAIL, false), from: pki },
    'pki-other': { leaf: leaf(pki, OTHER_EMAIL, false), from: pki },
  };

  return {
    folder,
    sigstore: (options) => {
      const holder = holders[options.by];
      const pair = holder
        ? { privateKey: holder.leaf.key, publicKey: holder.leaf.publicKey }
        : pairs[options.by as SigstoreKeyName];
      return makeSigstore(options, pair, holder, pairs);
    },
    simple: (options) => makeSimple(options, gpg.get(options.by)!),
  };
}

interface Authority {
  readonly root: MadeCertificate;
  readonly intermediate: MadeCertificate;
}

function makeSigstore(
  { digest, identity, set, fault }: SigstoreOptions,
  { privateKey, publicKey }: Pair,
  holder: { readonly leaf: MadeCertificate; readonly from: Authority } | undefined,
  pairs: Readonly<Record<string, Pair>>,
): Uint8Array {
  const good = encodePayload({ manifestDigest: digest as Digest, dockerReference: identity });
  const payload =
    fault === 'payload-json'
      ? Buffer.from(`{"critical":{},${Buffer.from(good).toString().slice(1)}`)
      : fault === 'payload-type'
        ? Buffer.from(Buffer.from(good).toString().replace('cosign container', 'other container'))
        : good;
  const hash = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const options =
    fault === 'raw' && privateKey.asymmetricKeyType === 'ec'
      ? { key: privateKey, dsaEncoding: 'ieee-p1363' as const }
      : privateKey;
  const signature = sign(hash, fault === 'signature' ? Buffer.from('other') : payload, options);
  const annotations = new Map<string, string>();
  const base64 = signature.toString('base64');
  if (fault !== 'no-annotation')
    annotations.set(SIGNATURE_ANNOTATION, fault === 'base64' ? `${base64} ` : base64);
  const signerPem = holder?.leaf.pem ?? publicPem(publicKey);
  if (holder !== undefined) {
    annotations.set('dev.sigstore.cosign/certificate', holder.leaf.pem);
    if (fault !== 'no-chain')
      annotations.set('dev.sigstore.cosign/chain', holder.from.intermediate.pem + holder.from.root.pem);
  }
  if (set !== undefined) {
    const other = publicPem(pairs['p256b'].publicKey);
    annotations.set(
      'dev.sigstore.cosign/bundle',
      makeRekorSet({
        logKey: pairs[set.log].privateKey,
        signerPem: set.fault === 'key' && signerPem !== other ? other : signerPem,
        signature: set.fault === 'signature' ? Buffer.from('MAYC') : signature,
        payload: set.fault === 'payload' ? Buffer.from('{}') : payload,
        ...(set.fault !== undefined && { fault: set.fault }),
      }),
    );
  }
  const mimeType = fault === 'mime' ? 'application/json' : MEDIA_TYPES.cosignSimpleSigning;
  return encodeStoredSignature({ kind: 'sigstore', mimeType, payload, annotations });
}

export interface RekorParts {
  readonly logKey: KeyObject;
  readonly signerPem: string;
  readonly signature: Uint8Array;
  readonly payload: Uint8Array;
  readonly integratedTime?: number;
  readonly fault?: SetOptions['fault'];
}

/** The annotation `dev.sigstore.cosign/bundle`. */
export function makeRekorSet(parts: RekorParts): string {
  const { fault } = parts;
  if (fault === 'garbage') return '{"SignedEntryTimestamp":1}';
  const body = {
    apiVersion: '0.0.1',
    kind: fault === 'kind' ? 'rekord' : 'hashedrekord',
    spec: {
      data: {
        hash: { algorithm: 'sha256', value: createHash('sha256').update(parts.payload).digest('hex') },
      },
      signature: {
        content: Buffer.from(parts.signature).toString('base64'),
        publicKey: { content: Buffer.from(parts.signerPem).toString('base64') },
      },
    },
  };
  const payload = {
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    integratedTime: parts.integratedTime ?? (fault === 'time' ? 2_000_000_000 : LOGGED_AT),
    logIndex: 7,
    logID: 'c0ffee',
  };
  const text = Buffer.from(JSON.stringify(payload));
  const canonical = canonicalJson(parseStrictJson(text, { maxSize: text.length }));
  const timestamp = sign('sha256', canonical, parts.logKey).toString('base64');
  const shown = fault === 'changed' ? { ...payload, logIndex: 8 } : payload;
  return JSON.stringify({ SignedEntryTimestamp: timestamp, Payload: shown });
}

async function makeSimple(
  { digest, identity, fault }: SimpleOptions,
  key: openpgp.PrivateKey,
): Promise<Uint8Array> {
  const document = {
    critical: {
      identity: { 'docker-reference': identity },
      image: { 'docker-manifest-digest': digest },
      type: fault === 'type' ? 'cosign container image signature' : 'atomic container signature',
    },
    optional: { creator: 'kit', timestamp: 1_600_000_000 },
  };
  const text = JSON.stringify(document);
  const binary = Buffer.from(fault === 'json' ? text.slice(1) : text);
  const signed = await openpgp.sign({
    message: await openpgp.createMessage({ binary }),
    signingKeys: key,
    format: 'binary',
    date: new Date('2024-01-15T12:00:00Z'),
  });
  const bytes = signed as Uint8Array;
  return fault === 'cut' ? bytes.subarray(0, bytes.length - 20) : bytes;
}

function publicPem(key: KeyObject): string {
  return encodePem('PUBLIC KEY', Uint8Array.from(key.export({ type: 'spki', format: 'der' })));
}
