/** Reads a bundle: every member known, none twice, all numbers bounded before anything is made of them. */
import { isBootsealError, withDetails, BootsealError } from '../../errors.ts';
import { readBase64, readEnvelope, type Envelope } from '../dsse/envelope.ts';
import { forEachMember, goString, jsonError } from '../strict-json/go-decode.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';
import {
  BUNDLE_MEDIA_TYPE,
  BUNDLE_MEDIA_TYPE_OLD,
  MAX_BUNDLE_SIZE,
  MAX_LOG_ENTRIES,
  MAX_TIMESTAMPS,
  type BundleSigner,
  type SigstoreBundle,
} from './format.ts';

/**
 * Throws `bundle/malformed` (also for whatever is wrong with the JSON), `bundle/unsupported` for other versions and for
 * signatures over bytes instead of a statement, `bundle/too-large`. Nothing in it is verified here.
 */
export function parseBundle(bytes: Uint8Array): SigstoreBundle {
  if (bytes.length > MAX_BUNDLE_SIZE) {
    throw new BootsealError(
      'bundle/too-large',
      `bundle of ${bytes.length} bytes exceeds the limit of ${MAX_BUNDLE_SIZE}`,
      { hint: 'a bundle that signs an image has about 10 KiB' },
    );
  }
  try {
    return readBundle(parseStrictJson(bytes, { maxSize: MAX_BUNDLE_SIZE, maxDepth: 32 }));
  } catch (error) {
    if (!isBootsealError(error) || !error.code.startsWith('json/')) throw error;
    throw withDetails(new BootsealError('bundle/malformed', `bundle: ${error.message}`), {
      cause: error,
      ...(error.offset !== undefined && { offset: error.offset }),
    });
  }
}

function readBundle(node: JsonNode): SigstoreBundle {
  let mediaType: string | undefined;
  let material: Material | undefined;
  let envelope: Envelope | undefined;
  let overBytes: JsonNode | undefined;
  const { offset } = forEachMember(node, (key, value) => {
    if (key === 'mediaType') mediaType = goString(value);
    else if (key === 'verificationMaterial') material = readMaterial(value);
    else if (key === 'dsseEnvelope') envelope = readEnvelope(value);
    else if (key === 'messageSignature') overBytes = value;
    else return false;
    return true;
  });
  if (mediaType !== BUNDLE_MEDIA_TYPE && mediaType !== BUNDLE_MEDIA_TYPE_OLD) {
    throw jsonError('bundle/unsupported', 'not a bundle of version 0.3', offset);
  }
  if (material === undefined) throw jsonError('bundle/malformed', 'verificationMaterial is missing', offset);
  if (overBytes !== undefined && envelope !== undefined) {
    throw jsonError('bundle/malformed', 'two signatures in one bundle', overBytes.offset);
  }
  if (overBytes !== undefined) {
    const message = 'a signature over bytes, not over a statement: this bundle is not about an image';
    throw jsonError('bundle/unsupported', message, overBytes.offset);
  }
  if (envelope === undefined) throw jsonError('bundle/malformed', 'dsseEnvelope is missing', offset);
  return { mediaType, ...material, envelope, document: node };
}

type Material = Pick<SigstoreBundle, 'signer' | 'logEntries' | 'timestamps'>;

function readMaterial(node: JsonNode): Material {
  let signer: BundleSigner | undefined;
  let logEntries = 0;
  let timestamps = 0;
  const { offset } = forEachMember(node, (key, value) => {
    // As in every protobuf document, null is the same as absent.
    const given = value.kind !== 'null';
    if (key === 'publicKey' || key === 'certificate') {
      if (given && signer !== undefined) throw twoSigners(value);
      if (given) signer = key === 'publicKey' ? readKeyHint(value) : readCertificate(value);
    } else if (key === 'x509CertificateChain') {
      const message = 'bundles of version 0.3 hold one certificate, not a chain';
      if (given) throw jsonError('bundle/malformed', message, value.offset);
    } else if (key === 'tlogEntries') {
      if (given) logEntries = readLogEntries(value);
    } else if (key === 'timestampVerificationData') {
      if (given) timestamps = readTimestamps(value);
    } else return false;
    return true;
  });
  if (signer === undefined) throw jsonError('bundle/malformed', 'neither key nor certificate', offset);
  return { signer, logEntries, timestamps };
}

function twoSigners({ offset }: JsonNode): Error {
  return jsonError('bundle/malformed', 'both a key and a certificate', offset);
}

function readKeyHint(node: JsonNode): BundleSigner {
  let hint = '';
  forEachMember(node, (key, value) => {
    if (key !== 'hint') return false;
    hint = goString(value);
    return true;
  });
  return { kind: 'key', hint };
}

function readCertificate(node: JsonNode): BundleSigner {
  const { rawBytes } = members(node, { rawBytes: base64 });
  if (rawBytes === undefined) throw jsonError('bundle/malformed', 'the certificate is empty', node.offset);
  return { kind: 'certificate', certificate: readBase64(rawBytes, 'rawBytes') };
}

/** 1. A list, bounded. 2. Every entry with the members that Rekor v1 and v2 have, each of its type. */
function readLogEntries(node: JsonNode): number {
  const entries = list(node, MAX_LOG_ENTRIES, 'log entries');
  for (const entry of entries) {
    members(entry, {
      logIndex: integer,
      logId: (value) => void members(value, { keyId: base64 }),
      kindVersion: (value) => void members(value, { kind: string, version: string }),
      integratedTime: integer,
      inclusionPromise: (value) => void members(value, { signedEntryTimestamp: base64 }),
      inclusionProof: readInclusionProof,
      canonicalizedBody: base64,
    });
  }
  return entries.length;
}

/** A tree of 2^63 leaves has a path of 63 hashes. */
const MAX_HASHES = 64;

function readInclusionProof(node: JsonNode): void {
  members(node, {
    logIndex: integer,
    rootHash: base64,
    treeSize: integer,
    hashes: (value) => list(value, MAX_HASHES, 'hashes').forEach((hash) => base64(hash, 'hash')),
    checkpoint: (value) => void members(value, { envelope: string }),
  });
}

function readTimestamps(node: JsonNode): number {
  let count = 0;
  members(node, {
    rfc3161Timestamps(value) {
      const stamps = list(value, MAX_TIMESTAMPS, 'timestamps');
      for (const stamp of stamps) members(stamp, { signedTimestamp: base64 });
      count = stamps.length;
    },
  });
  return count;
}

type Check = (value: JsonNode, key: string) => void;

/** Only these members, each checked where it is given. */
function members<K extends string>(
  node: JsonNode,
  checks: Readonly<Record<K, Check>>,
): Partial<Record<K, JsonNode>> {
  const found: Partial<Record<K, JsonNode>> = {};
  forEachMember(node, (key, value) => {
    if (!Object.hasOwn(checks, key)) return false;
    if (value.kind === 'null') return true;
    checks[key as K](value, key);
    found[key as K] = value;
    return true;
  });
  return found;
}

const base64: Check = (value, key) => void readBase64(value, key);

const string: Check = (value, key) => {
  if (value.kind !== 'string') throw jsonError('bundle/malformed', `${key} is not a string`, value.offset);
};

/** int64 of protobuf: decimal digits, as a string or, below 2^53, as a number. */
const integer: Check = (value, key) => {
  const text = value.kind === 'string' ? value.value : value.kind === 'number' ? value.text : '';
  const fits = /^\d{1,19}$/.test(text) && BigInt(text) < 2n ** 63n;
  if (!fits || (value.kind === 'number' && !Number.isSafeInteger(Number(text)))) {
    throw jsonError('bundle/malformed', `${key} is not a count`, value.offset);
  }
};

function list(node: JsonNode, limit: number, what: string): readonly JsonNode[] {
  if (node.kind !== 'array') throw jsonError('bundle/malformed', `${what} are not a list`, node.offset);
  if (node.items.length > limit) {
    const message = `${node.items.length} ${what} exceed the limit of ${limit}`;
    throw jsonError('bundle/malformed', message, node.offset);
  }
  return node.items;
}
