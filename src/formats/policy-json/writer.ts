/** Policy → policy.json. Only what is written, in a fixed order, so that the same policy is the same file. */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import type { Certificates, Fulcio, IdentityMatch, KeySource, Pki, Policy, Requirement } from './policy.ts';

type Json = string | readonly Json[] | { readonly [key: string]: Json };

/** Two spaces, a newline at the end: a file that people edit. */
export function encodePolicy(policy: Policy): Uint8Array {
  const transports = [...policy.transports].map(([transport, scopes]): [string, Json] => [
    transport,
    object(
      [...scopes].map(([scope, requirements]): [string, Json] => [scope, requirements.map(requirementJson)]),
    ),
  ]);
  const document = object([
    ['default', policy.default.map(requirementJson)],
    ...(transports.length > 0 ? [['transports', object(transports)] as [string, Json]] : []),
  ]);
  return encodeUtf8(`${JSON.stringify(document, undefined, 2)}\n`);
}

/** Without a prototype, so that a scope called `__proto__` is a member like any other. */
function object(entries: readonly (readonly [string, Json])[]): Json {
  const result = Object.create(null) as Record<string, Json>;
  for (const [key, value] of entries) result[key] = value;
  return result;
}

function requirementJson(requirement: Requirement): Json {
  const { type } = requirement;
  switch (type) {
    case 'insecureAcceptAnything':
    case 'reject':
      return { type };
    case 'signedBaseLayer':
      return { type, baseLayerIdentity: requirement.baseLayerIdentity };
    case 'signedBy':
      return {
        type,
        keyType: requirement.keyType,
        ...sourceJson(requirement.keys),
        ...identityJson(requirement.signedIdentity),
      };
    case 'sigstoreSigned':
    default: {
      const { trust, rekor, signedIdentity } = requirement;
      return {
        type,
        ...(trust.kind === 'keys' ? sourceJson(trust.keys) : {}),
        ...(trust.kind === 'fulcio' && { fulcio: fulcioJson(trust.fulcio) }),
        ...(trust.kind === 'pki' && { pki: pkiJson(trust.pki) }),
        ...(rekor && !rekor.isEmpty && sourceJson(rekor.source)),
        ...identityJson(signedIdentity),
      };
    }
  }
}

function sourceJson(source: KeySource): { readonly [key: string]: Json } {
  const values = source.kind === 'paths' ? source.paths : source.data.map(base64);
  return { [source.member]: source.member.endsWith('s') ? values : values[0] };
}

function identityJson(identity: IdentityMatch): { readonly [key: string]: Json } {
  return { signedIdentity: { ...identity } };
}

function fulcioJson({ ca, oidcIssuer, subjectEmail }: Fulcio): Json {
  return { ...certificatesJson('ca', ca), oidcIssuer, subjectEmail };
}

function pkiJson(pki: Pki): Json {
  return {
    ...certificatesJson('caRoots', pki.roots),
    ...(pki.intermediates && certificatesJson('caIntermediates', pki.intermediates)),
    ...(pki.subjectEmail !== undefined && { subjectEmail: pki.subjectEmail }),
    ...(pki.subjectHostname !== undefined && { subjectHostname: pki.subjectHostname }),
  };
}

function certificatesJson(prefix: string, { path, data }: Certificates): { readonly [key: string]: Json } {
  return path === undefined ? { [`${prefix}Data`]: base64(data!) } : { [`${prefix}Path`]: path };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
