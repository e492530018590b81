/** in-toto Statement v1, https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, and v0.1 of before. */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import type { Digest } from '../oci/digest.ts';
import { digestParts } from '../oci/digest.ts';
import { forEachMember, goString, jsonError } from '../strict-json/go-decode.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
/** What `cosign attest` still writes. */
const STATEMENT_TYPE_OLD = 'https://in-toto.io/Statement/v0.1';
export const STATEMENT_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** Real statements about an image are below 1 KiB; attestations with an SBOM inside are not read here. */
export const MAX_STATEMENT_SIZE: number = 1024 * 1024;
const MAX_SUBJECTS = 1024;
const MAX_DIGESTS = 32;

export interface Statement {
  /** Version 1, not 0.1. */
  readonly current: boolean;
  readonly subjects: readonly Subject[];
  readonly predicateType: string;
}

export interface Subject {
  readonly name?: string;
  /** `sha256` → hex. Never empty. */
  readonly digests: ReadonlyMap<string, string>;
}

/**
 * Reads a statement whose signature has been checked; never call it before. The predicate is not looked at. Throws
 * `statement/malformed`, `json/…`.
 */
export function parseStatement(bytes: Uint8Array): Statement {
  const node = parseStrictJson(bytes, { maxSize: MAX_STATEMENT_SIZE, maxDepth: 64 });
  let type = '';
  let predicateType = '';
  let subjects: readonly Subject[] = [];
  const { offset } = forEachMember(node, (key, value) => {
    if (key === '_type') type = goString(value);
    else if (key === 'predicateType') predicateType = goString(value);
    else if (key === 'subject') subjects = readSubjects(value);
    else return key === 'predicate';
    return true;
  });
  const current = type === STATEMENT_TYPE;
  if (!current && type !== STATEMENT_TYPE_OLD) throw malformed('not an in-toto statement', offset);
  if (predicateType === '') throw malformed('predicateType is missing', offset);
  if (subjects.length === 0) throw malformed('a statement without subject is about nothing', offset);
  return { current, subjects, predicateType };
}

function readSubjects(node: JsonNode): readonly Subject[] {
  if (node.kind !== 'array') throw malformed('subject is not a list', node.offset);
  if (node.items.length > MAX_SUBJECTS) throw malformed(`more than ${MAX_SUBJECTS} subjects`, node.offset);
  return node.items.map(readSubject);
}

/** ResourceDescriptor: other members (annotations, uri, mediaType, …) are allowed and say nothing to us. */
function readSubject(node: JsonNode): Subject {
  let name: string | undefined;
  let digests: ReadonlyMap<string, string> = new Map();
  const { offset } = forEachMember(node, (key, value) => {
    if (key === 'name') name = goString(value);
    else if (key === 'digest') digests = readDigests(value);
    return true;
  });
  if (digests.size === 0) throw malformed('a subject without digest is about anything', offset);
  return { ...(name !== undefined && { name }), digests };
}

function readDigests(node: JsonNode): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  forEachMember(node, (key, value) => {
    if (digests.size === MAX_DIGESTS) throw malformed(`more than ${MAX_DIGESTS} digests`, node.offset);
    digests.set(key, goString(value));
    return true;
  });
  return digests;
}

/** Whether a subject names this digest. Hex in lower case only, as digests are compared everywhere. */
export function isAbout(statement: Statement, digest: Digest): boolean {
  const { algorithm, hex } = digestParts(digest);
  return statement.subjects.some(({ digests }) => digests.get(algorithm) === hex);
}

/** A statement that says nothing but which digest it is about: byte for byte what cosign signs. */
export function encodeStatement(digest: Digest, predicateType: string): Uint8Array {
  const { algorithm, hex } = digestParts(digest);
  return encodeUtf8(
    JSON.stringify({
      _type: STATEMENT_TYPE,
      subject: [{ digest: { [algorithm]: hex }, annotations: {} }],
      predicateType,
      predicate: {},
    }),
  );
}

function malformed(message: string, offset: number): Error {
  return jsonError('statement/malformed', message, offset);
}
