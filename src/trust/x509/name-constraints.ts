/** The names that an authority may vouch for: nameConstraints, RFC 5280 section 4.2.1.10, read as Go's x509 reads it. */
import { BootsealError } from '../../errors.ts';
import {
  contextTag,
  DerFields,
  readConstructed,
  readDer,
  TAG,
  type DerElement,
} from '../../formats/der/reader.ts';
import { addressText, parseAddress } from './ip-address.ts';
import {
  GENERAL_NAME,
  hostOfUri,
  readIa5,
  reverseLabels,
  type AlternativeNames,
} from './alternative-names.ts';

type Kind = 'email address' | 'DNS name' | 'URI' | 'IP address';

/** One constraint: whether a name of its kind falls under it. */
interface Subtree {
  readonly kind: Kind;
  readonly text: string;
  readonly holds: (name: string | Uint8Array) => boolean;
}

export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
  /** False where a kind of name is constrained that is not read here, such as directory names. */
  readonly complete: boolean;
}

/** Go's limit on comparisons in one certificate: names and constraints multiply. */
const MAX_COMPARISONS = 250_000;

/** Throws `x509/name-constraints`, `der/…`. */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const fields = new DerFields(readDer(value), TAG.sequence, 'nameConstraints');
  const permitted = fields.optional(contextTag(0));
  const excluded = fields.optional(contextTag(1));
  fields.end();
  if (permitted === undefined && excluded === undefined) throw bad('empty name constraints extension');
  const allowed = readSubtrees(permitted);
  const denied = readSubtrees(excluded);
  return {
    permitted: allowed.subtrees,
    excluded: denied.subtrees,
    complete: allowed.complete && denied.complete,
  };
}

function readSubtrees(element: DerElement | undefined): { subtrees: Subtree[]; complete: boolean } {
  const subtrees: Subtree[] = [];
  let complete = true;
  const items = element === undefined ? [] : readConstructed(element, element.tag, 'subtrees');
  for (const item of items) {
    // minimum and maximum are not used (RFC 5280): a subtree is its base.
    const children = readConstructed(item, TAG.sequence, 'subtree');
    if (children.length !== 1) throw bad('invalid NameConstraints extension');
    const [{ tag, contents }] = children;
    switch (tag) {
      case GENERAL_NAME.dnsName:
        subtrees.push(domainSubtree('DNS name', readIa5(contents, 'dnsName constraint')));
        break;
      case GENERAL_NAME.uri: {
        const text = readIa5(contents, 'URI constraint');
        if (parseAddress(text) !== undefined)
          throw bad(`failed to parse URI constraint ${JSON.stringify(text)}: cannot be IP address`);
        subtrees.push(domainSubtree('URI', text));
        break;
      }
      case GENERAL_NAME.email:
        subtrees.push(emailSubtree(readIa5(contents, 'rfc822Name constraint')));
        break;
      case GENERAL_NAME.address:
        subtrees.push(addressSubtree(contents));
        break;
      default:
        complete = false;
    }
  }
  return { subtrees, complete };
}

/** A leading dot wants a label before; without it the domain itself passes as well. Empty holds everything. */
function domainSubtree(kind: Kind, text: string): Subtree {
  const wantsMore = text.startsWith('.');
  const wanted = reverseLabels((wantsMore ? text.slice(1) : text).toLowerCase());
  if (wanted === undefined) throw bad(`failed to parse ${kind} constraint ${JSON.stringify(text)}`);
  return {
    kind,
    text,
    holds: (name) => {
      if (text === '') return true;
      const domain = domainOf(kind, String(name));
      const labels = domain === undefined ? undefined : reverseLabels(domain.toLowerCase());
      if (labels === undefined || labels.length < wanted.length + (wantsMore ? 1 : 0)) return false;
      return wanted.every((label, at) => labels[at] === label);
    },
  };
}

function domainOf(kind: Kind, name: string): string | undefined {
  if (kind === 'DNS name') return name;
  return kind === 'URI' ? hostOfUri(name) : mailbox(name)?.domain;
}

/** One mailbox, or a domain of them. */
function emailSubtree(text: string): Subtree {
  if (!text.includes('@')) return domainSubtree('email address', text);
  const wanted = mailbox(text);
  if (wanted === undefined) throw bad(`failed to parse rfc822Name constraint ${JSON.stringify(text)}`);
  return {
    kind: 'email address',
    text,
    holds: (name) => {
      const found = mailbox(String(name));
      return found?.local === wanted.local && found.domain.toLowerCase() === wanted.domain.toLowerCase();
    },
  };
}

/** Address and mask; the mask must be ones and then zeros. */
function addressSubtree(contents: Uint8Array): Subtree {
  const size = contents.length / 2;
  const mask = contents.subarray(size);
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('');
  if (size !== 4 && size !== 16) throw bad(`IP constraint contained value of length ${contents.length}`);
  if (bits.includes('01'))
    throw bad(`IP constraint contained invalid mask ${Buffer.from(mask).toString('hex')}`);
  return {
    kind: 'IP address',
    text: Buffer.from(contents).toString('hex'),
    holds: (name) =>
      name instanceof Uint8Array &&
      name.length === size &&
      mask.every((byte, at) => (name[at] & byte) === (contents[at] & byte)),
  };
}

/** `local@domain`, both plain. Quoted local parts (RFC 5321) are not read: such a mailbox falls under no constraint. */
function mailbox(text: string): { readonly local: string; readonly domain: string } | undefined {
  const match = /^([A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*)@([^@]+)$/.exec(
    text,
  );
  if (match === null || reverseLabels(match[2]) === undefined) return undefined;
  return { local: match[1], domain: match[2] };
}

/**
 * Throws `x509/name-constraints` when a name is excluded, is of a kind with permitted subtrees and in none of them,
 * or cannot be read.
 */
export function checkNameConstraints(constraints: NameConstraints, names: AlternativeNames): void {
  const { permitted, excluded } = constraints;
  const count = Object.values(names).reduce((sum, kind) => sum + kind.length, 0);
  if (count * (permitted.length + excluded.length) > MAX_COMPARISONS) throw against('too many constraints');
  for (const [kind, name] of everyName(names)) {
    const shown = typeof name === 'string' ? JSON.stringify(name.slice(0, 200)) : addressText(name);
    const fault = readingFault(kind, name, shown);
    if (fault !== undefined) throw against(fault);
    const own = permitted.filter((subtree) => subtree.kind === kind);
    if (own.length > 0 && !own.some((subtree) => subtree.holds(name)))
      throw against(`${kind} ${shown} is not permitted by any constraint`);
    const excluding = excluded.find(
      (subtree) => subtree.kind === kind && (subtree.holds(name) || coversOneOf(name, subtree)),
    );
    if (excluding !== undefined)
      throw against(`${kind} ${shown} is excluded by constraint ${JSON.stringify(excluding.text)}`);
  }
}

function* everyName(names: AlternativeNames): Generator<readonly [Kind, string | Uint8Array]> {
  for (const name of names.emails) yield ['email address', name];
  for (const name of names.dnsNames) yield ['DNS name', name];
  for (const name of names.uris) yield ['URI', name];
  for (const name of names.addresses) yield ['IP address', name];
}

/** `*.example.com` speaks for `a.example.com` as well, so it must not pass where that is excluded. */
function coversOneOf(name: string | Uint8Array, { kind, text }: Subtree): boolean {
  if (kind !== 'DNS name' || typeof name !== 'string' || !name.startsWith('*.')) return false;
  const first = text.indexOf('.', 1);
  return first >= 0 && text.slice(first).toLowerCase() === name.slice(1).toLowerCase();
}

/** Where names are constrained, one that cannot be compared is refused, whatever kinds the constraints are of. */
function readingFault(kind: Kind, name: string | Uint8Array, shown: string): string | undefined {
  if (typeof name !== 'string') return undefined;
  if (kind === 'email address') return mailbox(name) ? undefined : `cannot parse rfc822Name ${shown}`;
  if (kind === 'DNS name') return reverseLabels(name) ? undefined : `cannot parse dnsName ${shown}`;
  const host = hostOfUri(name) ?? '';
  if (host === '') return `URI with empty host (${shown}) cannot be matched against constraints`;
  if (host.startsWith('[') || parseAddress(host) !== undefined)
    return `URI with IP (${shown}) cannot be matched against constraints`;
  return undefined;
}

function bad(message: string): BootsealError {
  return new BootsealError('x509/name-constraints', `x509: ${message}`);
}

function against(message: string): BootsealError {
  return new BootsealError('x509/name-constraints', message);
}
