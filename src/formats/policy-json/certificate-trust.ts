/** The `fulcio` and `pki` members of `sigstoreSigned`. Empty texts count as absent. */
import { forEachMember, goBytes, goString, jsonError } from '../strict-json/go-decode.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import type { Certificates, Fulcio, Pki } from './policy.ts';

interface Members {
  readonly offset: number;
  text(key: string): string | undefined;
  certificates(pathKey: string, dataKey: string): Certificates | undefined;
}

export function readFulcio(node: JsonNode): Fulcio {
  const members = readMembers(node, ['caPath', 'oidcIssuer', 'subjectEmail'], ['caData']);
  const ca = members.certificates('caPath', 'caData');
  if (ca === undefined)
    throw bad('policy/fulcio', 'At least one of caPath and caData must be specified', members);
  const oidcIssuer = members.text('oidcIssuer');
  if (oidcIssuer === undefined) throw bad('policy/fulcio', 'oidcIssuer not specified', members);
  const subjectEmail = members.text('subjectEmail');
  if (subjectEmail === undefined) throw bad('policy/fulcio', 'subjectEmail not specified', members);
  return { ca, oidcIssuer, subjectEmail };
}

export function readPki(node: JsonNode): Pki {
  const texts = ['caRootsPath', 'caIntermediatesPath', 'subjectEmail', 'subjectHostname'];
  const members = readMembers(node, texts, ['caRootsData', 'caIntermediatesData']);
  const roots = members.certificates('caRootsPath', 'caRootsData');
  if (roots === undefined) {
    throw bad('policy/pki', 'At least one of caRootsPath and caRootsData must be specified', members);
  }
  const intermediates = members.certificates('caIntermediatesPath', 'caIntermediatesData');
  const subjectEmail = members.text('subjectEmail');
  const subjectHostname = members.text('subjectHostname');
  if (subjectEmail === undefined && subjectHostname === undefined) {
    throw bad('policy/pki', 'At least one of subjectEmail, subjectHostname must be specified', members);
  }
  return {
    roots,
    ...(intermediates && { intermediates }),
    ...(subjectEmail !== undefined && { subjectEmail }),
    ...(subjectHostname !== undefined && { subjectHostname }),
  };
}

function readMembers(node: JsonNode, textKeys: readonly string[], dataKeys: readonly string[]): Members {
  const texts = new Map<string, string>();
  const data = new Map<string, Uint8Array>();
  const { offset } = forEachMember(node, (key, value) => {
    if (textKeys.includes(key)) {
      texts.set(key, goString(value));
    } else if (dataKeys.includes(key)) {
      const bytes = goBytes(value);
      if (bytes !== undefined) data.set(key, bytes);
    } else {
      return false;
    }
    return true;
  });
  const text = (key: string): string | undefined => texts.get(key) || undefined;
  return {
    offset,
    text,
    certificates: (pathKey, dataKey) => {
      const path = text(pathKey);
      const bytes = data.get(dataKey);
      if (path !== undefined && bytes !== undefined) {
        throw jsonError(
          'policy/one-key-source',
          `${pathKey} and ${dataKey} cannot be used simultaneously`,
          offset,
        );
      }
      if (path === undefined && bytes === undefined) return undefined;
      return path === undefined ? { data: bytes! } : { path };
    },
  };
}

function bad(code: 'policy/fulcio' | 'policy/pki', message: string, members: Members): Error {
  return jsonError(code, message, members.offset);
}
