/** One requirement of a policy: its type, then exactly the members of that type. */
import {
  exactMembers,
  forEachMember,
  goBytes,
  goString,
  goStrings,
  jsonError,
  peekType,
} from '../strict-json/go-decode.ts';
import { goQuote } from '../strict-json/go-quote.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import { readIdentity } from './identity.ts';
import { dataSource, pathSource, pathsSource } from './key-source.ts';
import {
  DEFAULT_IDENTITY,
  KEY_TYPES,
  type KeySource,
  type KeyType,
  type Requirement,
  type SignedBy,
} from './policy.ts';
import { readSigstoreSigned } from './sigstore-signed.ts';

export function readRequirement(node: JsonNode): Requirement {
  const type = peekType(node, 'prCommon', 'prTypeIdentifier');
  switch (type) {
    case 'insecureAcceptAnything':
    case 'reject':
      exactMembers(node, ['type']);
      return { type };
    case 'signedBy':
      return readSignedBy(node);
    case 'sigstoreSigned':
      return readSigstoreSigned(node);
    case 'signedBaseLayer': {
      const { baseLayerIdentity } = exactMembers(node, ['type', 'baseLayerIdentity']);
      return { type, baseLayerIdentity: readIdentity(baseLayerIdentity) };
    }
    default:
      throw jsonError('policy/unknown-type', `Unknown policy requirement type ${goQuote(type)}`, node.offset);
  }
}

function readSignedBy(node: JsonNode): SignedBy {
  let keyType: KeyType | undefined;
  let identity: JsonNode | undefined;
  const sources: (KeySource | undefined)[] = [];
  forEachMember(node, (key, value) => {
    switch (key) {
      case 'type':
        goString(value);
        return true;
      case 'keyType':
        keyType = readKeyType(value);
        return true;
      case 'keyPath':
        sources.push(pathSource(key, goString(value)));
        return true;
      case 'keyPaths':
        sources.push(pathsSource(key, goStrings(value)));
        return true;
      case 'keyData':
        sources.push(dataSource(key, goBytes(value)));
        return true;
      case 'signedIdentity':
        identity = value;
        return true;
      default:
        return false;
    }
  });
  const signedIdentity = identity === undefined ? DEFAULT_IDENTITY : readIdentity(identity);
  // Which members are written is counted first, then (further down) which of them say anything.
  if (sources.length !== 1) {
    const found = sources.length === 0 ? 'none of them present' : 'more than one present';
    throw jsonError(
      'policy/one-key-source',
      `Exactly one of keyPath, keyPaths and keyData must be specified, ${found}`,
      node.offset,
    );
  }
  if (keyType === undefined) throw jsonError('policy/key-type', 'invalid keyType ""', node.offset);
  const keys = sources[0];
  if (keys === undefined) {
    const message = 'exactly one of keyPath, keyPaths and keyData must be specified';
    throw jsonError('policy/one-key-source', message, node.offset);
  }
  return { type: 'signedBy', keyType, keys, signedIdentity };
}

function readKeyType(node: JsonNode): KeyType {
  const text = goString(node);
  const found = KEY_TYPES.find((type) => type === text);
  if (found === undefined) {
    throw jsonError('policy/key-type', `Unrecognized keyType value ${goQuote(text)}`, node.offset);
  }
  return found;
}
