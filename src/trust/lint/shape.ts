/** Every mistake that makes podman and skopeo refuse the file, and what can be made out in spite of it. */
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import { nearest } from '../../bytes/nearest.ts';
import type { Requirement } from '../../formats/policy-json/policy.ts';
import { readRequirement } from '../../formats/policy-json/requirement.ts';
import { isValidScope } from '../../formats/policy-json/scopes.ts';
import { typeError } from '../../formats/strict-json/go-decode.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import type { JsonMember, JsonNode, JsonObject } from '../../formats/strict-json/json-node.ts';
import type { Report } from './finding.ts';
import { mend, typeOf } from './mend.ts';

/** Requirements of one scope, or of the default (transport and scope undefined). */
export interface LintScope {
  readonly transport?: string;
  readonly scope?: string;
  /** Of the key. */
  readonly offset: number;
  readonly requirements: readonly LintRequirement[];
}

export interface LintRequirement {
  /** As written. Undefined where it had mistakes: nothing more is said of it then. */
  readonly requirement?: Requirement;
  readonly offset: number;
  /** Byte offset of the value of a member, or of the requirement. */
  readonly offsetOf: (member: string) => number;
}

export interface LintPolicy {
  readonly scopes: readonly LintScope[];
  /** Transport names with the offset of each. */
  readonly transports: readonly { readonly name: string; readonly offset: number }[];
}

export function readShape(root: JsonNode, report: Report): LintPolicy {
  const scopes: LintScope[] = [];
  const transports: LintPolicy['transports'][number][] = [];
  const top = objectOf(root, report);
  if (top === undefined) return { scopes, transports };
  let hasDefault = false;
  for (const { key, keyOffset, value } of distinct(top, report)) {
    if (key === 'default') {
      hasDefault = true;
      scopes.push({ offset: keyOffset, requirements: readRequirements(value, report) });
    } else if (key === 'transports') {
      for (const transport of distinctOf(value, report)) {
        transports.push({ name: transport.key, offset: transport.keyOffset });
        scopes.push(...readTransport(transport, report));
      }
    } else unknownKey(key, keyOffset, ['default', 'transports'], report);
  }
  if (!hasDefault) {
    error(
      report,
      'policy/no-default',
      'Default policy is missing',
      top.offset,
      'add "default": [{"type": "reject"}]',
    );
  }
  return { scopes, transports };
}

function* readTransport({ key: transport, value }: JsonMember, report: Report): Generator<LintScope> {
  for (const { key: scope, keyOffset: offset, value: list } of distinctOf(value, report)) {
    if (!isValidScope(transport, scope)) {
      error(report, 'policy/unknown-key', `Unknown key ${goQuote(scope)}`, offset, scopeForm(transport));
    }
    yield { transport, scope, offset, requirements: readRequirements(list, report) };
  }
}

function scopeForm(transport: string): string {
  switch (transport) {
    case 'docker-archive':
    case 'tarball':
      return `${transport} has the scope "" only`;
    case 'docker-daemon':
      return 'docker-daemon images are named by reference, not by digest';
    case 'containers-storage':
      return 'scopes of containers-storage begin with "[DRIVER@/ROOT]"';
    case 'atomic':
      return 'scopes of atomic are HOST[/NAMESPACE[/STREAM[:TAG]]]';
    default:
      return `scopes of ${transport} are absolute paths without "." and ".." and without a slash at the end`;
  }
}

function readRequirements(list: JsonNode, report: Report): readonly LintRequirement[] {
  if (list.kind !== 'array' && list.kind !== 'null') {
    const { message, offset = list.offset } = typeError(list, '[]json.RawMessage');
    error(report, 'policy/type', message, offset, 'requirements stand in brackets: [{"type": "reject"}]');
    return list.kind === 'object' ? [readOne(list, report)] : [];
  }
  if (list.kind === 'null' || list.items.length === 0) {
    const message = 'List of verification policy requirements must not be empty';
    error(report, 'policy/empty', message, list.offset, 'write [{"type": "reject"}] to accept nothing');
    return [];
  }
  return list.items.map((item) => readOne(item, report));
}

/** Each repair lets the reader go further; no requirement has this many members. */
const MAX_REPAIRS = 64;

function readOne(written: JsonNode, report: Report): LintRequirement {
  const { offset } = written;
  const offsetOf = (name: string): number => {
    const found = written.kind === 'object' && written.members.find(({ key }) => key === name);
    return found ? found.value.offset : offset;
  };
  let node = written.kind === 'object' ? withoutDuplicates(written, report) : written;
  for (let repairs = 0; repairs < MAX_REPAIRS; repairs++) {
    try {
      const requirement = readRequirement(node);
      return { ...(node === written && { requirement }), offset, offsetOf };
    } catch (thrown) {
      if (!isBootsealError(thrown)) throw thrown;
      const mended = node.kind === 'object' ? mend(node, thrown) : undefined;
      error(
        report,
        policyCode(thrown.code),
        thrown.message,
        thrown.offset ?? offset,
        thrown.hint ?? mended?.hint,
      );
      if (mended === undefined) break;
      node = mended.node;
    }
  }
  return { offset, offsetOf };
}

/** As the reader of policies names them. */
export function policyCode(code: ErrorCode): ErrorCode {
  return `policy/${code.slice(code.indexOf('/') + 1)}`;
}

/** Requirements are two objects deep; what is deeper is unknown to every reader. */
const DEPTH = 2;

/**
 * Without the second of two members of one name. Of two types the first that is one stays: a second `type` with a
 * kind of key is a `keyType` with a slip.
 */
function withoutDuplicates(object: JsonObject, report: Report, depth = 0): JsonObject {
  const seen = new Set<string>();
  const members: JsonMember[] = [];
  for (const member of object.members) {
    const { key, keyOffset, value } = member;
    const inner =
      value.kind === 'object' && depth < DEPTH
        ? { ...member, value: withoutDuplicates(value, report, depth + 1) }
        : member;
    if (!seen.has(key)) members.push(inner.value === value ? member : inner);
    else if (key === 'type' && !seen.has('keyType') && value.kind === 'string' && isKeyType(value.value)) {
      duplicate(report, key, keyOffset, `write "keyType": ${JSON.stringify(value.value)}`);
      error(
        report,
        'policy/unknown-type',
        `Unknown policy requirement type ${goQuote(value.value)}`,
        value.offset,
        `it is a "keyType", and the type is ${JSON.stringify(typeOf(object))}`,
      );
      members.push({ ...member, key: 'keyType' });
      seen.add('keyType');
    } else duplicate(report, key, keyOffset);
    seen.add(key);
  }
  const changed =
    members.length < object.members.length || members.some((member, at) => member !== object.members[at]);
  return changed ? { ...object, members } : object;
}

function isKeyType(text: string): boolean {
  return /^(?:GPGKeys|signedByGPGKeys|X509Certificates|signedByX509CAs)$/.test(text);
}

function distinctOf(node: JsonNode, report: Report): readonly JsonMember[] {
  const object = objectOf(node, report);
  return object === undefined ? [] : distinct(object, report);
}

function distinct(object: JsonObject, report: Report): readonly JsonMember[] {
  const seen = new Set<string>();
  return object.members.filter(({ key, keyOffset }) => {
    if (seen.has(key)) duplicate(report, key, keyOffset);
    const isFirst = !seen.has(key);
    seen.add(key);
    return isFirst;
  });
}

function objectOf(node: JsonNode, report: Report): JsonObject | undefined {
  if (node.kind === 'object') return node;
  error(
    report,
    'policy/type',
    `JSON object expected, got ${node.kind === 'null' ? '<nil>' : node.kind}`,
    node.offset,
  );
  return undefined;
}

function duplicate(report: Report, key: string, offset: number, hint = 'remove one of the two'): void {
  error(
    report,
    'policy/duplicate-key',
    `${goQuote(key)} appears twice (Duplicate key ${goQuote(key)})`,
    offset,
    hint,
  );
}

function unknownKey(key: string, offset: number, known: readonly string[], report: Report): void {
  const close = nearest(key, known);
  const hint = close === undefined ? `known here: ${known.join(', ')}` : `did you mean "${close}"?`;
  error(report, 'policy/unknown-key', `Unknown key ${goQuote(key)}`, offset, hint);
}

function error(report: Report, code: ErrorCode, message: string, offset: number, hint?: string): void {
  report({ severity: 'error', code, message, offset, ...(hint !== undefined && { hint }) });
}
