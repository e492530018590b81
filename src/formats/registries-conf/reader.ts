/**
 * registries.conf, version 2, from its bytes: TOML, containers-registries.conf(5). Unknown keys are passed over and
 * known ones found in any case, as upstream's decoder does; everything else that it refuses is refused here, in its
 * words.
 */
import { parse, TomlError } from 'smol-toml';
import { decodeUtf8 } from '../../bytes/bytes.ts';
import { BootsealError } from '../../errors.ts';
import type {
  Endpoint,
  Mirror,
  PullFromMirror,
  RegistriesConfFile,
  Registry,
  ShortNameMode,
} from './config.ts';

/** Generated files of clusters have some hundred entries; this is a hundred times that. */
export const MAX_REGISTRIES_CONF: number = 4 * 1024 * 1024;

const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const PROXY_SCHEMES = ['http:', 'https:', 'socks5:', 'socks5h:'];

type Table = Readonly<Record<string, unknown>>;

/** Throws `registries-conf/malformed`, with `loading registries configuration "FILE": …`, and the line where it has one. */
export function parseRegistriesConf(bytes: Uint8Array, file: string): RegistriesConfFile {
  const fail = (why: string, where: string = file): BootsealError =>
    new BootsealError(
      'registries-conf/malformed',
      `loading registries configuration ${JSON.stringify(file)}: ${why}`,
      {
        where,
        hint: 'see containers-registries.conf(5)',
      },
    );
  if (bytes.length > MAX_REGISTRIES_CONF)
    throw fail(`file of ${bytes.length} bytes exceeds ${MAX_REGISTRIES_CONF}`);
  const text = decodeUtf8(bytes);
  if (text === undefined) throw fail('file is not UTF-8');
  const document = parseToml(text, file, fail);
  const read = reader(fail);
  // 1. The format of 2018, which said other things with like words.
  if (Object.hasOwn(document, 'registries') && hasVersion1(read, document['registries'])) {
    throw fail('registries.conf must be in v2 format but is in v1');
  }
  // 2. Each registry by itself, then all that name one location.
  const registries = read
    .tables(document, 'registry', 'registry')
    .map((table) => readRegistry(read, table, fail));
  demandAgreement(registries, fail);
  // 3. The rest.
  const unqualifiedSearch = read.strings(document, 'unqualified-search-registries')?.map((entry) => {
    const host = location(entry, fail);
    if (!DOMAIN.test(host)) throw fail(`Invalid unqualified-search-registries entry ${JSON.stringify(host)}`);
    return host;
  });
  const credentialHelpers = read.strings(document, 'credential-helpers');
  const shortNameMode = readMode(read.string(document, 'short-name-mode'), fail);
  for (const { prefix } of registries) {
    if (prefix.startsWith('*.') && /[/@:]/.test(prefix)) {
      throw fail(
        `Wildcarded prefix should be in the format: *.example.com. Current prefix ${JSON.stringify(prefix)} is incorrectly formatted`,
      );
    }
  }
  return {
    file,
    registries: firstOfEach(registries),
    ...(unqualifiedSearch && { unqualifiedSearch }),
    ...(credentialHelpers && { credentialHelpers }),
    ...(shortNameMode && { shortNameMode }),
    aliases: readAliases(read, document),
  };
}

type Fail = (why: string, where?: string) => BootsealError;

function parseToml(text: string, file: string, fail: Fail): Table {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [why] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw fail(`toml: line ${error.line}: ${why}`, `${file}:${error.line}:${error.column}`);
  }
}

/** Values by key and type, as Go's decoder takes them: the key in any case, the type exact. */
interface Reader {
  get(table: Table, key: string): unknown;
  string(table: Table, key: string): string;
  boolean(table: Table, key: string): boolean;
  strings(table: Table, key: string): string[] | undefined;
  table(value: unknown, what: string): Table;
  tables(table: Table, key: string, what: string): Table[];
}

function reader(fail: Fail): Reader {
  const wrong = (key: string, wanted: string): BootsealError => fail(`toml: ${key} is not ${wanted}`);
  const get = (table: Table, key: string): unknown => {
    if (Object.hasOwn(table, key)) return table[key];
    const other = Object.keys(table).find((name) => name.toLowerCase() === key);
    return other === undefined ? undefined : table[other];
  };
  const table = (value: unknown, what: string): Table => {
    const isTable =
      typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
    if (!isTable) throw wrong(what, 'a table');
    return value as Table;
  };
  return {
    get,
    table,
    string(from, key) {
      const value = get(from, key) ?? '';
      if (typeof value !== 'string') throw wrong(key, 'a string');
      return value;
    },
    boolean(from, key) {
      const value = get(from, key) ?? false;
      if (typeof value !== 'boolean') throw wrong(key, 'a boolean');
      return value;
    },
    strings(from, key) {
      const value = get(from, key);
      if (value === undefined) return undefined;
      if (!Array.isArray(value)) throw wrong(key, 'an array');
      return value.map((each: unknown) => {
        if (typeof each !== 'string') throw wrong(key, 'an array of strings');
        return each;
      });
    },
    tables(from, key, what) {
      const value = get(from, key) ?? [];
      if (!Array.isArray(value)) throw wrong(what, 'an array of tables');
      return value.map((each: unknown) => table(each, what));
    },
  };
}

/** Any of its three lists, even an empty one. */
function hasVersion1(read: Reader, value: unknown): boolean {
  const registries = read.table(value, 'registries');
  return ['search', 'insecure', 'block'].some((key) => {
    const section = read.get(registries, key);
    return section !== undefined && read.strings(read.table(section, key), 'registries') !== undefined;
  });
}

function readRegistry(read: Reader, table: Table, fail: Fail): Registry {
  const endpoint = readEndpoint(read, table, fail);
  let prefix = read.string(table, 'prefix');
  if (prefix === '') {
    if (endpoint.location === '') throw fail('invalid condition: both location and prefix are unset');
    prefix = endpoint.location;
  } else {
    prefix = location(prefix, fail);
    if (!prefix.startsWith('*.') && endpoint.location === '') {
      throw fail('invalid condition: location is unset and prefix is not in the format: *.example.com');
    }
  }
  if (read.string(table, 'pull-from-mirror') !== '') {
    throw fail(`pull-from-mirror must not be set for a non-mirror registry ${JSON.stringify(prefix)}`);
  }
  const mirrorByDigestOnly = read.boolean(table, 'mirror-by-digest-only');
  const mirrors = read
    .tables(table, 'mirror', 'registry.mirror')
    .map((mirror) => readMirror(read, mirror, mirrorByDigestOnly ? prefix : undefined, fail));
  return { prefix, ...endpoint, mirrors, blocked: read.boolean(table, 'blocked'), mirrorByDigestOnly };
}

/** `digestOnly` is the registry's prefix where it has said for all its mirrors what this one may not say again. */
function readMirror(read: Reader, table: Table, digestOnly: string | undefined, fail: Fail): Mirror {
  const endpoint = readEndpoint(read, table, fail);
  if (endpoint.location === '') throw fail('invalid condition: mirror location is unset');
  const use = read.string(table, 'pull-from-mirror');
  if (digestOnly !== undefined && use !== '') {
    throw fail(
      `cannot set mirror usage mirror-by-digest-only for the registry (${JSON.stringify(digestOnly)}) and ` +
        `pull-from-mirror for per-mirror (${JSON.stringify(endpoint.location)}) at the same time`,
    );
  }
  if (!['', 'all', 'digest-only', 'tag-only'].includes(use)) {
    throw fail(
      `unsupported pull-from-mirror value ${JSON.stringify(use)} for mirror ${JSON.stringify(endpoint.location)}`,
    );
  }
  return { ...endpoint, pullFromMirror: use === '' ? 'all' : (use as PullFromMirror) };
}

function readEndpoint(read: Reader, table: Table, fail: Fail): Endpoint {
  const proxy = read.string(table, 'proxy');
  if (proxy !== '') {
    const url = URL.canParse(proxy) ? new URL(proxy) : undefined;
    if (url === undefined || !PROXY_SCHEMES.includes(url.protocol)) {
      const scheme = url?.protocol.slice(0, -1) ?? '';
      throw fail(`proxy URL scheme "${scheme}" is not supported. Supported are http, https, socks5, socks5h`);
    }
  }
  return {
    location: location(read.string(table, 'location'), fail),
    insecure: read.boolean(table, 'insecure'),
    proxy,
  };
}

function location(text: string, fail: Fail): string {
  const trimmed = text.replace(/\/+$/, '');
  if (/^https?:\/\//.test(trimmed)) throw fail(`invalid location '${text}': URI schemes are not supported`);
  return trimmed;
}

/** One location may have several prefixes, but only one way to be reached. */
function demandAgreement(registries: readonly Registry[], fail: Fail): void {
  const known = new Map<string, Registry>();
  for (const registry of registries) {
    const key = registry.location === '' ? registry.prefix : registry.location;
    const other = known.get(key) ?? registry;
    for (const setting of ['insecure', 'proxy', 'blocked'] as const) {
      if (registry[setting] === other[setting]) continue;
      throw fail(
        `registry '${registry.location}' is defined multiple times with conflicting '${setting}' setting`,
      );
    }
    known.set(key, other);
  }
}

function firstOfEach(registries: readonly Registry[]): Registry[] {
  const unique = new Map<string, Registry>();
  for (const registry of registries) if (!unique.has(registry.prefix)) unique.set(registry.prefix, registry);
  return [...unique.values()].sort((a, b) => Buffer.compare(Buffer.from(a.prefix), Buffer.from(b.prefix)));
}

function readMode(mode: string, fail: Fail): ShortNameMode | undefined {
  if (mode === '') return undefined;
  if (mode === 'disabled' || mode === 'enforcing' || mode === 'permissive') return mode;
  throw fail(`invalid short-name mode: ${JSON.stringify(mode)}`);
}

function readAliases(read: Reader, document: Table): Map<string, string> {
  const aliases = read.get(document, 'aliases');
  const table = aliases === undefined ? {} : read.table(aliases, 'aliases');
  return new Map(Object.keys(table).map((name) => [name, read.string(table, name)]));
}
