/** The `signedIdentity` object: which names in a signature stand for the image. */
import { nearest } from '../../bytes/nearest.ts';
import { isBootsealError } from '../../errors.ts';
import {
  isRepositoryPath,
  parseDockerReference,
  type DockerReference,
} from '../reference/docker-reference.ts';
import { exactMembers, goString, jsonError, peekType } from '../strict-json/go-decode.ts';
import { goQuote } from '../strict-json/go-quote.ts';
import type { JsonNode } from '../strict-json/json-node.ts';
import type { IdentityMatch } from './policy.ts';

const TYPES = [
  'matchExact',
  'matchRepoDigestOrExact',
  'matchRepository',
  'exactReference',
  'exactRepository',
  'remapIdentity',
] as const;

export function readIdentity(node: JsonNode): IdentityMatch {
  const type = peekType(node, 'prmCommon', 'prmTypeIdentifier');
  switch (type) {
    case 'matchExact':
    case 'matchRepoDigestOrExact':
    case 'matchRepository':
      exactMembers(node, ['type']);
      return { type };
    case 'exactReference': {
      const member = exactMembers(node, ['type', 'dockerReference']).dockerReference;
      const dockerReference = goString(member);
      const reference = readReference('dockerReference', dockerReference, member.offset);
      if (reference.tag === undefined && reference.digest === undefined) {
        const message = `dockerReference ${goQuote(dockerReference)} contains neither a tag nor digest`;
        throw jsonError('policy/identity', message, member.offset, 'use exactRepository to accept every tag');
      }
      return { type, dockerReference };
    }
    case 'exactRepository': {
      const member = exactMembers(node, ['type', 'dockerRepository']).dockerRepository;
      const dockerRepository = goString(member);
      readReference('dockerRepository', dockerRepository, member.offset);
      return { type, dockerRepository };
    }
    case 'remapIdentity': {
      const members = exactMembers(node, ['type', 'prefix', 'signedPrefix']);
      const prefix = goString(members.prefix);
      const signedPrefix = goString(members.signedPrefix);
      checkPrefix(prefix, members.prefix.offset);
      checkPrefix(signedPrefix, members.signedPrefix.offset);
      return { type, prefix, signedPrefix };
    }
    default: {
      const near = nearest(type, TYPES);
      throw jsonError(
        'policy/unknown-type',
        `Unknown policy reference match type ${goQuote(type)}`,
        node.offset,
        near ? `did you mean "${near}"?` : `one of ${TYPES.join(', ')}`,
      );
    }
  }
}

function readReference(member: string, text: string, offset: number): DockerReference {
  try {
    return parseDockerReference(text);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const message = `Invalid format of ${member} ${goQuote(text)}: ${upstreamReason(error.code, text)}`;
    throw jsonError('policy/identity', message, offset);
  }
}

function upstreamReason(code: string, text: string): string {
  if (/^[a-f0-9]{64}$/.test(text)) {
    return `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`;
  }
  return code === 'reference/upper-case'
    ? 'invalid reference format: repository name must be lowercase'
    : 'invalid reference format';
}

/** `host[:port]` as distribution/reference has it in containers/image: names and IPv4 addresses, no IPv6 literal. */
const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?$/;

/** `host[:port]`, or a repository name that starts with one; neither tag nor digest. */
function checkPrefix(prefix: string, offset: number): void {
  const slash = prefix.indexOf('/');
  const host = slash < 0 ? prefix : prefix.slice(0, slash);
  if (!HOST.test(host) || (slash >= 0 && !isRepositoryPath(prefix.slice(slash + 1)))) {
    throw jsonError('policy/identity', `prefix ${goQuote(prefix)} is not valid`, offset);
  }
}
