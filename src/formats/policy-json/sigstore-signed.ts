/** The `sigstoreSigned` requirement: keys, or Fulcio and Rekor, or a PKI of one's own. */
import {
  forEachMember,
  goBytes,
  goBytesList,
  goString,
  goStrings,
  jsonError,
} from '../strict-json/go-decode.ts';
import { goQuote } from '../strict-json/go-quote.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { readFulcio, readPki } from './certificate-trust.ts';
import { readIdentity } from './identity.ts';
import {
  DEFAULT_IDENTITY,
  type KeySource,
  type RekorKeys,
  type SigstoreSigned,
  type SigstoreTrust,
} from './policy.ts';
import { dataSource, pathSource, pathsSource } from './key-source.ts';

/** A key member as it stands in the file; `source` is undefined where it says nothing (`""`, null). */
interface Written {
  readonly member: string;
  readonly node: JsonNode;
  readonly source: KeySource | undefined;
}

export function readSigstoreSigned(node: JsonNode): SigstoreSigned {
  const keys: Written[] = [];
  const rekor: Written[] = [];
  const others: SigstoreTrust[] = [];
  let identity: JsonNode | undefined;
  forEachMember(node, (key, value) => {
    switch (key) {
      case 'type':
        goString(value);
        return true;
      case 'keyPath':
      case 'keyPaths':
      case 'keyData':
      case 'keyDatas':
        keys.push({ member: key, node: value, source: readSource(key, key.slice('key'.length), value) });
        return true;
      case 'rekorPublicKeyPath':
      case 'rekorPublicKeyPaths':
      case 'rekorPublicKeyData':
      case 'rekorPublicKeyDatas':
        rekor.push({
          member: key,
          node: value,
          source: readSource(key, key.slice('rekorPublicKey'.length), value),
        });
        return true;
      case 'fulcio':
        others.push({ kind: 'fulcio', fulcio: readFulcio(value) });
        return true;
      case 'pki':
        others.push({ kind: 'pki', pki: readPki(value) });
        return true;
      case 'signedIdentity':
        identity = value;
        return true;
      default:
        return false;
    }
  });
  const signedIdentity = identity === undefined ? DEFAULT_IDENTITY : readIdentity(identity);
  for (const written of [...keys, ...rekor]) refuseEmptyList(written);
  const trust = [
    ...keys.flatMap(({ source }): SigstoreTrust[] => (source ? [{ kind: 'keys', keys: source }] : [])),
    ...others,
  ];
  if (trust.length !== 1) {
    throw jsonError(
      'policy/one-key-source',
      'exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio, and pki must be specified',
      node.offset,
    );
  }
  const rekorKeys = checkRekor(rekor, trust[0], node.offset);
  return { type: 'sigstoreSigned', trust: trust[0], ...(rekorKeys && { rekor: rekorKeys }), signedIdentity };
}

function readSource(member: string, form: string, value: JsonNode): KeySource | undefined {
  switch (form) {
    case 'Path':
      return pathSource(member, goString(value));
    case 'Paths':
      return pathsSource(member, goStrings(value));
    case 'Data':
      return dataSource(member, goBytes(value));
    default: {
      const data = goBytesList(value);
      return data && { kind: 'data', member, data };
    }
  }
}

/** Lists must hold something, and null is an empty list. Upstream spells the Rekor members with a small k here. */
function refuseEmptyList({ member, node, source }: Written): void {
  if (!member.endsWith('s')) return;
  const length =
    source === undefined ? 0 : source.kind === 'paths' ? source.paths.length : source.data.length;
  if (length > 0) return;
  const spelt = member.replace('PublicKey', 'Publickey');
  throw jsonError('policy/empty', `${goQuote(spelt)} contains no entries`, node.offset);
}

function checkRekor(
  written: readonly Written[],
  trust: SigstoreTrust,
  offset: number,
): RekorKeys | undefined {
  const sources = written.flatMap(({ source }) => source ?? []);
  const names = 'rekorPublickeyPath, rekorPublicKeyPaths, rekorPublickeyData and rekorPublicKeyDatas';
  if (sources.length > 1) {
    throw jsonError('policy/one-key-source', `at most one of ${names} can be used simultaneously`, offset);
  }
  if (trust.kind === 'fulcio' && sources.length === 0) {
    throw jsonError('policy/fulcio', `At least one of ${names} must be specified if fulcio is used`, offset);
  }
  if (trust.kind === 'pki' && sources.length > 0) {
    throw jsonError('policy/pki', `${names} are not supported for pki`, offset);
  }
  if (sources.length === 1) return { source: sources[0], isEmpty: false };
  const empty = written[0];
  return empty && { source: { kind: 'paths', member: empty.member, paths: [] }, isEmpty: true };
}
