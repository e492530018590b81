/**
 * policy.json → Policy, refusing whatever containers/image refuses, in its order and with its words:
 * the whole file's syntax first, then every object in document order, unused transports included.
 */
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import { forEachMember, jsonError, typeError } from '../strict-json/go-decode.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';
import { whereIs } from '../strict-json/position.ts';
import type { Policy, Requirement } from './policy.ts';
import { readRequirement } from './requirement.ts';
import { isValidScope } from './scopes.ts';
import { goQuote } from '../strict-json/go-quote.ts';

/** Upstream has no limit; a policy with the keys of a thousand repositories inline stays below a tenth of this. */
export const MAX_POLICY_SIZE: number = 8 * 1024 * 1024;

export interface PolicyFileName {
  /** As the user named it; appears in errors. */
  readonly file: string;
}

/**
 * Throws a BootsealError with `where` = `file:line:column` and exit 3: a policy that cannot be read decides nothing.
 * Codes: `policy/syntax`, `policy/duplicate-key`, `policy/unknown-key`, `policy/missing-key`, `policy/type`,
 * `policy/base64`, `policy/unknown-type`, `policy/one-key-source`, `policy/identity`, `policy/empty`, …
 */
export function parsePolicy(bytes: Uint8Array, { file }: PolicyFileName): Policy {
  try {
    return readPolicy(parseStrictJson(bytes, { maxSize: MAX_POLICY_SIZE }));
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    throw inFile(error, bytes, file);
  }
}

function inFile(error: BootsealError, bytes: Uint8Array, file: string): BootsealError {
  const code = `policy/${error.code.slice(error.code.indexOf('/') + 1)}` as const;
  const message = `invalid policy in ${goQuote(file)}: ${error.message}`;
  const hint = error.hint ?? hintFor(error, bytes);
  return withDetails(new BootsealError(code, message, { ...(hint !== undefined && { hint }) }), {
    cause: error,
    ...(error.offset !== undefined && { offset: error.offset, where: whereIs(file, bytes, error.offset) }),
    exit: 3,
  });
}

function hintFor(error: BootsealError, bytes: Uint8Array): string | undefined {
  if (error.code !== 'json/syntax' || error.offset === undefined) return undefined;
  switch (bytes[error.offset]) {
    case 0x2f:
      return 'comments are not allowed in policy.json';
    case 0xef:
      return 'save the file as UTF-8 without a byte order mark';
    case 0x7d:
    case 0x5d:
      return 'look for a trailing comma, or a bracket that closes the wrong thing';
    default:
      return undefined;
  }
}

function readPolicy(node: JsonNode): Policy {
  let defaults: readonly Requirement[] | undefined;
  let transports: Policy['transports'] = new Map();
  const object = forEachMember(node, (key, value) => {
    if (key === 'default') defaults = readRequirements(value);
    else if (key === 'transports') transports = readTransports(value);
    else return false;
    return true;
  });
  if (defaults === undefined) {
    throw jsonError(
      'policy/no-default',
      'Default policy is missing',
      object.offset,
      'add "default": [{"type": "reject"}]',
    );
  }
  return { default: defaults, transports };
}

function readTransports(node: JsonNode): Policy['transports'] {
  const transports = new Map<string, ReadonlyMap<string, readonly Requirement[]>>();
  forEachMember(node, (transport, value) => {
    const scopes = new Map<string, readonly Requirement[]>();
    forEachMember(value, (scope, requirements) => {
      // A scope that the transport cannot have is reported as an unknown key, as upstream does.
      if (!isValidScope(transport, scope)) return false;
      scopes.set(scope, readRequirements(requirements));
      return true;
    });
    transports.set(transport, scopes);
    return true;
  });
  return transports;
}

function readRequirements(node: JsonNode): readonly Requirement[] {
  if (node.kind !== 'array' && node.kind !== 'null') throw typeError(node, '[]json.RawMessage');
  if (node.kind === 'null' || node.items.length === 0) {
    throw jsonError(
      'policy/empty',
      'List of verification policy requirements must not be empty',
      node.offset,
    );
  }
  return node.items.map(readRequirement);
}
