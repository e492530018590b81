/**
 * A requirement that is refused, changed just enough for its reader to go on to the next mistake. The readers of
 * formats/policy-json decide what a mistake is; here is only what to put in its place.
 */
import type { BootsealError } from '../../errors.ts';
import { nearest } from '../../bytes/nearest.ts';
import { KEY_TYPES } from '../../formats/policy-json/policy.ts';
import type { JsonMember, JsonNode, JsonObject } from '../../formats/strict-json/json-node.ts';

export const REQUIREMENT_TYPES = [
  'insecureAcceptAnything',
  'reject',
  'signedBy',
  'sigstoreSigned',
  'signedBaseLayer',
] as const;

const IDENTITY_TYPES = [
  'matchExact',
  'matchRepoDigestOrExact',
  'matchRepository',
  'exactReference',
  'exactRepository',
  'remapIdentity',
] as const;

const KEY_MEMBERS = ['keyPath', 'keyPaths', 'keyData'];
const REKOR_MEMBERS = [
  'rekorPublicKeyPath',
  'rekorPublicKeyPaths',
  'rekorPublicKeyData',
  'rekorPublicKeyDatas',
];

/** Members of every object below a requirement, by the member that holds the object; `''` is the requirement. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  signedBy: ['type', 'keyType', ...KEY_MEMBERS, 'signedIdentity'],
  sigstoreSigned: ['type', ...KEY_MEMBERS, 'keyDatas', ...REKOR_MEMBERS, 'fulcio', 'pki', 'signedIdentity'],
  signedBaseLayer: ['type', 'baseLayerIdentity'],
  fulcio: ['caPath', 'caData', 'oidcIssuer', 'subjectEmail'],
  pki: [
    'caRootsPath',
    'caRootsData',
    'caIntermediatesPath',
    'caIntermediatesData',
    'subjectEmail',
    'subjectHostname',
  ],
  signedIdentity: ['type', 'dockerReference', 'dockerRepository', 'prefix', 'signedPrefix'],
};

export interface Mended {
  readonly node: JsonNode;
  /** What to write instead, where the reader did not say. */
  readonly hint?: string;
}

/** Undefined where nothing can be guessed: the rest of the requirement is then not looked at. */
export function mend(node: JsonObject, error: BootsealError): Mended | undefined {
  const offset = error.offset ?? node.offset;
  switch (error.code) {
    case 'json/unknown-key':
      return mendUnknownKey(node, offset);
    case 'json/missing-key':
    case 'policy/identity':
      return { node: withIdentity(node) };
    case 'policy/unknown-type':
      return offset === node.offset ? mendType(node) : mendIdentityType(node, offset);
    case 'policy/key-type':
      return { node: withMember(node, 'keyType', 'GPGKeys'), hint: 'write "keyType": "GPGKeys"' };
    case 'policy/one-key-source':
      return mendSources(node, offset);
    case 'policy/fulcio':
      return mendFulcio(node);
    case 'policy/pki':
      return mendPki(node);
    case 'policy/empty':
    case 'json/base64':
    case 'json/type':
      return mendValue(node, offset, error);
    default:
      return undefined;
  }
}

/** The type of a requirement, when it is one of the known ones. */
export function typeOf(node: JsonObject): string {
  const member = node.members.find(({ key }) => key === 'type');
  return member?.value.kind === 'string' ? member.value.value : '';
}

function mendUnknownKey(node: JsonObject, offset: number): Mended | undefined {
  const place = findMember(node, ({ keyOffset }) => keyOffset === offset);
  if (place === undefined) return undefined;
  const { holder, member, name } = place;
  const known = MEMBERS[name === '' ? typeOf(node) : name] ?? ['type'];
  const close =
    nearest(member.key, known) ?? known.find((key) => key.toLowerCase() === member.key.toLowerCase());
  const isComment = /^(?:_|\/\/|#)|^comment|description/i.test(member.key);
  const free = close !== undefined && !holder.members.some(({ key }) => key === close);
  const renamed = free ? [{ ...member, key: close }] : [];
  return {
    node: replaceObject(node, holder, {
      ...holder,
      members: holder.members.flatMap((each) => (each === member ? renamed : [each])),
    }),
    hint:
      close !== undefined
        ? `did you mean "${close}"?`
        : isComment
          ? 'policy.json has no place for comments: remove the member'
          : known.length > 1
            ? `known here: ${known.join(', ')}`
            : 'remove it: this type takes no other member',
  };
}

function mendType(node: JsonObject): Mended | undefined {
  const type = typeOf(node);
  if ((KEY_TYPES as readonly string[]).includes(type)) {
    const members = node.members.map((member) =>
      member.key === 'type' ? { ...member, key: 'keyType' } : member,
    );
    return {
      node: withMember({ ...node, members }, 'type', 'signedBy'),
      hint: `write "type": "signedBy", "keyType": ${JSON.stringify(type)}`,
    };
  }
  const close = nearest(type, REQUIREMENT_TYPES);
  if (close !== undefined) return { node: withMember(node, 'type', close), hint: `did you mean "${close}"?` };
  const guess = node.members.some(({ key }) => key === 'keyType')
    ? 'signedBy'
    : node.members.some(({ key }) => key.startsWith('key') || key === 'fulcio' || key === 'pki')
      ? 'sigstoreSigned'
      : undefined;
  const hint = `one of ${REQUIREMENT_TYPES.join(', ')}`;
  return guess === undefined
    ? { node: withMember({ ...node, members: [] }, 'type', 'reject'), hint }
    : { node: withMember(node, 'type', guess), hint };
}

function mendIdentityType(node: JsonObject, offset: number): Mended {
  const identity = node.members.find(({ value }) => value.offset === offset)?.value;
  const type = identity?.kind === 'object' ? typeOf(identity) : '';
  const close = nearest(type, IDENTITY_TYPES);
  if (identity?.kind !== 'object' || close === undefined) return { node: withIdentity(node) };
  return {
    node: replaceObject(node, identity, withMember(identity, 'type', close)),
    hint: `did you mean "${close}"?`,
  };
}

/** Too many: the first that says something stays. None: one is added. */
function mendSources(node: JsonObject, offset: number): Mended | undefined {
  const pairs = ['fulcio', 'pki'].flatMap((name) => node.members.filter(({ key }) => key === name));
  const inner = pairs.find(({ value }) => value.offset === offset)?.value;
  if (inner?.kind === 'object') {
    const members = inner.members.filter(({ key }) => !key.endsWith('Data'));
    return { node: replaceObject(node, inner, { ...inner, members }), hint: 'keep one of the two' };
  }
  const sources = [...KEY_MEMBERS, 'keyDatas', 'fulcio', 'pki'];
  const written = node.members.filter(({ key }) => sources.includes(key));
  const speaking = written.filter(
    ({ value }) => value.kind !== 'null' && !(value.kind === 'string' && value.value === ''),
  );
  const rekor = node.members.filter(({ key }) => REKOR_MEMBERS.includes(key));
  if (speaking.length === 1 && written.length === 1 && rekor.length > 1) {
    const members = node.members.filter((member) => !rekor.includes(member) || member === rekor[0]);
    return { node: { ...node, members }, hint: 'keep one of them' };
  }
  const kept = speaking[0];
  const members = node.members.filter((member) => !written.includes(member) || member === kept);
  if (kept !== undefined)
    return { node: { ...node, members }, hint: `keep one: ${written.map(({ key }) => key).join(', ')}` };
  return {
    node: withMember({ ...node, members }, 'keyPath', PLACEHOLDER),
    hint: 'add "keyPath": "/etc/pki/containers/NAME.pub"',
  };
}

function mendFulcio(node: JsonObject): Mended | undefined {
  const fulcio = node.members.find(({ key }) => key === 'fulcio')?.value;
  if (fulcio?.kind !== 'object') return undefined;
  const ca = hasText(fulcio, 'caPath') || fulcio.members.some(({ key }) => key === 'caData');
  const missing = [
    ca ? undefined : 'caPath',
    ...['oidcIssuer', 'subjectEmail'].filter((key) => !hasText(fulcio, key)),
  ];
  const first = missing.find((key) => key !== undefined);
  if (first === undefined) {
    const hint =
      'add "rekorPublicKeyPath": Fulcio certificates live for minutes, and only the log says when they were used';
    return { node: withMember(node, 'rekorPublicKeyPath', PLACEHOLDER), hint };
  }
  return {
    node: replaceObject(node, fulcio, withMember(fulcio, first, PLACEHOLDER)),
    hint: `add "${first}"`,
  };
}

function mendPki(node: JsonObject): Mended | undefined {
  const pki = node.members.find(({ key }) => key === 'pki')?.value;
  if (pki?.kind !== 'object') return undefined;
  const roots = hasText(pki, 'caRootsPath') || pki.members.some(({ key }) => key === 'caRootsData');
  const subject = hasText(pki, 'subjectEmail') || hasText(pki, 'subjectHostname');
  const first = roots ? (subject ? undefined : 'subjectEmail') : 'caRootsPath';
  if (first !== undefined)
    return { node: replaceObject(node, pki, withMember(pki, first, PLACEHOLDER)), hint: `add "${first}"` };
  const members = node.members.filter(({ key }) => !REKOR_MEMBERS.includes(key));
  return { node: { ...node, members }, hint: 'remove the Rekor key: a PKI of your own has no log' };
}

/** What stands in for values; nothing is ever read under this name. */
const PLACEHOLDER = 'placeholder';

function mendValue(node: JsonObject, offset: number, { code }: BootsealError): Mended | undefined {
  const place = findMember(node, ({ value }) => value.offset === offset || holdsItemAt(value, offset));
  if (place === undefined) return undefined;
  const { holder, member } = place;
  const text: JsonNode = { kind: 'string', offset, value: 'cGxhY2Vob2xkZXI=' };
  const value: JsonNode | undefined = /(?:Paths|Datas)$/.test(member.key)
    ? { kind: 'array', offset, items: [text] }
    : ['fulcio', 'pki', 'signedIdentity', 'baseLayerIdentity'].includes(member.key)
      ? undefined
      : member.key === 'keyType'
        ? { ...text, value: 'GPGKeys' }
        : text;
  if (member.key === 'signedIdentity')
    return { node: withIdentity(node), hint: 'write "signedIdentity": {"type": "matchRepository"}' };
  if (value === undefined || member.key === 'type') return undefined;
  const members = holder.members.map((each) => (each === member ? { ...member, value } : each));
  const hint =
    code === 'json/base64'
      ? 'standard base64, as `base64 -w0 FILE` prints it; for a file use "keyPath"'
      : member.key.endsWith('s')
        ? `write "${member.key}": ["…"]`
        : `write "${member.key}": "…"`;
  return { node: replaceObject(node, holder, { ...holder, members }), hint };
}

/** Lists hold texts, or lists of bytes. */
function holdsItemAt(value: JsonNode, offset: number): boolean {
  if (value.kind !== 'array') return false;
  return value.items.some(
    (item) =>
      item.offset === offset || (item.kind === 'array' && item.items.some((byte) => byte.offset === offset)),
  );
}

function hasText(object: JsonObject, key: string): boolean {
  return object.members.some(
    ({ key: name, value }) => name === key && value.kind === 'string' && value.value !== '',
  );
}

interface Place {
  readonly holder: JsonObject;
  readonly member: JsonMember;
  /** The member of the requirement that holds the object; `''` for the requirement itself. */
  readonly name: string;
}

/** Requirements are two objects deep. */
function findMember(node: JsonObject, wanted: (member: JsonMember) => boolean): Place | undefined {
  const own = node.members.find(wanted);
  if (own !== undefined) return { holder: node, member: own, name: '' };
  for (const { key, value } of node.members) {
    const member = value.kind === 'object' ? value.members.find(wanted) : undefined;
    if (value.kind === 'object' && member !== undefined) return { holder: value, member, name: key };
  }
  return undefined;
}

function replaceObject(node: JsonObject, old: JsonObject, next: JsonObject): JsonObject {
  if (old === node) return next;
  return {
    ...node,
    members: node.members.map((member) => (member.value === old ? { ...member, value: next } : member)),
  };
}

function withMember(node: JsonObject, key: string, text: string): JsonObject {
  const { offset } = node;
  const member = { key, keyOffset: offset, value: { kind: 'string', offset, value: text } as const };
  return { ...node, members: [...node.members.filter((each) => each.key !== key), member] };
}

function withIdentity(node: JsonObject): JsonObject {
  const members = node.members.flatMap((member) => {
    if (member.key === 'signedIdentity') return [];
    if (member.key !== 'baseLayerIdentity') return [member];
    const { offset } = member.value;
    const type = {
      key: 'type',
      keyOffset: offset,
      value: { kind: 'string', offset, value: 'matchExact' } as const,
    };
    return [{ ...member, value: { kind: 'object', offset, members: [type] } as const }];
  });
  return { ...node, members };
}
