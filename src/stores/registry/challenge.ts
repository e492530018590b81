/** WWW-Authenticate headers, RFC 9110 section 11.6.1: which schemes a server takes, and their parameters. */
import { BootsealError } from '../../errors.ts';

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Longer headers are no challenge; checked before anything is split. */
const MAX_HEADER = 8192;
const MAX_CHALLENGES = 16;
const MAX_PARAMETERS = 32;

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const SPACE = /[ \t]*/y;

/** Reads one header, which may hold several challenges. Throws `registry/bad-challenge`. */
export function parseChallenges(header: string): Challenge[] {
  if (header.length > MAX_HEADER) throw bad('header is too long', MAX_HEADER);
  const scan = scanner(header);
  const challenges: Challenge[] = [];
  while ((scan.skipCommas(), !scan.atEnd())) {
    const scheme = scan.token();
    if (scheme === undefined) throw bad('expected an authentication scheme', scan.at());
    challenges.push({ scheme: scheme.toLowerCase(), parameters: parseParameters(scan) });
    if (challenges.length > MAX_CHALLENGES) throw bad('too many challenges', scan.at());
  }
  return challenges;
}

/** `name=value, name="value"` up to the next scheme: a token that no `=` follows. */
function parseParameters(scan: Scanner): Map<string, string> {
  const parameters = new Map<string, string>();
  for (;;) {
    const start = scan.at();
    scan.skipCommas();
    const name = scan.token()?.toLowerCase();
    if (name === undefined || !scan.equals()) {
      scan.rewind(start);
      return parameters;
    }
    const value = scan.quoted() ?? scan.token();
    if (value === undefined) throw bad(`parameter ${JSON.stringify(name)} has no value`, scan.at());
    // Two realms are a dispute about where the password goes.
    if (parameters.has(name)) throw bad(`parameter ${JSON.stringify(name)} appears twice`, scan.at());
    parameters.set(name, value);
    if (parameters.size > MAX_PARAMETERS) throw bad('too many parameters', scan.at());
  }
}

interface Scanner {
  at(): number;
  atEnd(): boolean;
  rewind(offset: number): void;
  token(): string | undefined;
  quoted(): string | undefined;
  equals(): boolean;
  skipCommas(): void;
}

function scanner(text: string): Scanner {
  let offset = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = offset;
    const found = pattern.exec(text);
    if (found !== null) offset = pattern.lastIndex;
    return found;
  };
  const skipSpace = (): void => void match(SPACE);
  return {
    at: () => offset,
    atEnd: () => offset >= text.length,
    rewind: (to) => {
      offset = to;
    },
    token: () => match(TOKEN)?.[0],
    quoted: () => match(QUOTED)?.[1].replaceAll(/\\(.)/g, '$1'),
    equals() {
      skipSpace();
      if (text[offset] !== '=') return false;
      offset += 1;
      skipSpace();
      return true;
    },
    skipCommas() {
      skipSpace();
      while (text[offset] === ',') {
        offset += 1;
        skipSpace();
      }
    },
  };
}

function bad(why: string, offset: number): BootsealError {
  return new BootsealError('registry/bad-challenge', `WWW-Authenticate: ${why}`, {
    offset,
    hint: 'the registry, or a proxy before it, sends a broken header; ask who runs it',
  });
}
