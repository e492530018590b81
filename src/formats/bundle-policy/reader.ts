/** bundles.json → BundlePolicy. As strict as policy.json: no unknown, missing or double member, nothing empty. */
import { BootsealError, isBootsealError, withDetails } from '../../errors.ts';
import { isValidScope } from '../policy-json/scopes.ts';
import type { KeySource } from '../policy-json/policy.ts';
import { exactMembers, forEachMember, goBytes, jsonError } from '../strict-json/go-decode.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { parseStrictJson } from '../strict-json/parser.ts';
import { whereIs } from '../strict-json/position.ts';
import { parseIdentityPattern } from './identity-pattern.ts';
import {
  USES,
  type BundlePolicy,
  type BundleRequirement,
  type BundleTrust,
  type BundleUse,
} from './policy.ts';

/** As policy.json, for the same reason. */
export const MAX_BUNDLE_POLICY_SIZE: number = 8 * 1024 * 1024;

/** Throws `bundle-policy/…` with `where` = `file:line:column` and exit 3. */
export function parseBundlePolicy(bytes: Uint8Array, { file }: { readonly file: string }): BundlePolicy {
  try {
    return readPolicy(parseStrictJson(bytes, { maxSize: MAX_BUNDLE_POLICY_SIZE }));
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const code = `bundle-policy/${error.code.slice(error.code.indexOf('/') + 1)}` as const;
    throw withDetails(new BootsealError(code, `invalid bundle policy in ${file}: ${error.message}`), {
      cause: error,
      ...(error.hint !== undefined && { hint: error.hint }),
      ...(error.offset !== undefined && { offset: error.offset, where: whereIs(file, bytes, error.offset) }),
      exit: 3,
    });
  }
}

function readPolicy(node: JsonNode): BundlePolicy {
  let defaults: readonly BundleRequirement[] = [];
  let transports: BundlePolicy['transports'] = new Map();
  const { offset } = forEachMember(node, (key, value) => {
    if (key === 'default') defaults = readRequirements(value);
    else if (key === 'transports') transports = readTransports(value);
    else return false;
    return true;
  });
  const asks = defaults.length > 0 || [...transports.values()].some((scopes) => scopes.size > 0);
  if (!asks)
    throw jsonError('bundle-policy/empty', 'nothing is asked for', offset, 'remove the file instead');
  return { default: defaults, transports };
}

function readTransports(node: JsonNode): BundlePolicy['transports'] {
  const transports = new Map<string, ReadonlyMap<string, readonly BundleRequirement[]>>();
  forEachMember(node, (transport, value) => {
    // Bundles are kept in registries only: a scope of another transport would never be asked.
    if (transport !== 'docker') return false;
    const scopes = new Map<string, readonly BundleRequirement[]>();
    forEachMember(value, (scope, requirements) => {
      if (!isValidScope(transport, scope)) return false;
      scopes.set(scope, readRequirements(requirements));
      return true;
    });
    transports.set(transport, scopes);
    return true;
  });
  return transports;
}

function readRequirements(node: JsonNode): readonly BundleRequirement[] {
  if (node.kind !== 'array' || node.items.length === 0) {
    throw jsonError('bundle-policy/empty', 'a scope needs a list of requirements, not empty', node.offset);
  }
  return node.items.map(readRequirement);
}

function readRequirement(node: JsonNode): BundleRequirement {
  let type: string | undefined;
  let use: BundleUse | undefined;
  const trusts: BundleTrust[] = [];
  const { offset } = forEachMember(node, (key, value) => {
    if (key === 'type') type = text(value, key);
    else if (key === 'use') use = readUse(value);
    else if (key === 'keyless') trusts.push(readKeyless(value));
    else if (key === 'keyPath') trusts.push(keys({ kind: 'paths', member: key, paths: [text(value, key)] }));
    else if (key === 'keyPaths') trusts.push(keys({ kind: 'paths', member: key, paths: texts(value, key) }));
    else if (key === 'keyData') trusts.push(keys({ kind: 'data', member: key, data: [data(value)] }));
    else return false;
    return true;
  });
  if (type !== 'bundleSigned') {
    throw jsonError('bundle-policy/unknown-type', 'the type of a requirement is bundleSigned', offset);
  }
  if (use === undefined) {
    throw jsonError(
      'bundle-policy/missing-key',
      'use is missing',
      offset,
      'write "use": "require" or "satisfy"',
    );
  }
  if (trusts.length !== 1) {
    const message = 'exactly one of keyPath, keyPaths, keyData and keyless must be specified';
    throw jsonError('bundle-policy/one-key-source', message, offset);
  }
  return { use, trust: trusts[0] };
}

function keys(source: KeySource): BundleTrust {
  return { kind: 'keys', keys: source };
}

function readUse(node: JsonNode): BundleUse {
  const use = USES.find((known) => node.kind === 'string' && known === node.value);
  if (use !== undefined) return use;
  throw jsonError('bundle-policy/use', 'use is "require" or "satisfy"', node.offset);
}

function readKeyless(node: JsonNode): BundleTrust {
  const hasPattern = node.kind === 'object' && node.members.some(({ key }) => key === 'identityPattern');
  const last = hasPattern ? 'identityPattern' : 'identity';
  const found = exactMembers(node, ['trustedRootPath', 'issuer', last]);
  const issuer = text(found.issuer, 'issuer');
  if (!/^https:\/\/[^\s]+$/.test(issuer)) {
    throw jsonError(
      'bundle-policy/issuer',
      'issuer is a whole https URL, not a pattern',
      found.issuer.offset,
    );
  }
  const given = text(found[last], last);
  return {
    kind: 'keyless',
    trustedRootPath: text(found.trustedRootPath, 'trustedRootPath'),
    issuer,
    identity: hasPattern ? pattern(given, found[last].offset) : exactIdentity(given, found[last].offset),
  };
}

function pattern(source: string, offset: number): ReturnType<typeof parseIdentityPattern> {
  try {
    return parseIdentityPattern(source);
  } catch (error) {
    throw isBootsealError(error) ? withDetails(error, { offset }) : error;
  }
}

/** A whole URI or email. What looks like a pattern was meant as one. */
function exactIdentity(identity: string, offset: number): string {
  if (/[*^$]|\\/.test(identity)) {
    const hint = 'use identityPattern for patterns; identity is compared whole';
    throw jsonError('bundle-policy/pattern', 'identity holds wildcards', offset, hint);
  }
  if (/^[a-z][a-z0-9+.-]*:\S+$/.test(identity) || /^\S+@\S+$/.test(identity)) return identity;
  throw jsonError('bundle-policy/identity', 'identity is a whole URI or an email address', offset);
}

function text(node: JsonNode, what: string): string {
  if (node.kind === 'string' && node.value !== '') return node.value;
  throw jsonError('bundle-policy/type', `${what} is a text, not empty`, node.offset);
}

function texts(node: JsonNode, what: string): readonly string[] {
  if (node.kind === 'array' && node.items.length > 0) return node.items.map((item) => text(item, what));
  throw jsonError('bundle-policy/type', `${what} is a list of texts, not empty`, node.offset);
}

function data(node: JsonNode): Uint8Array {
  const bytes = node.kind === 'string' ? goBytes(node) : undefined;
  if (bytes !== undefined && bytes.length > 0) return bytes;
  throw jsonError('bundle-policy/type', 'keyData is the base64 of a PEM key', node.offset);
}
