/** Policies, references and signature sets made up from a seed: near to each other, so that often something just fits. */
import type { Random } from './random.ts';
import {
  EMAIL,
  GPG_KEYS,
  ISSUER,
  LOGS,
  OTHER_EMAIL,
  SIGSTORE_KEYS,
  type SetOptions,
  type SigstoreOptions,
  type SimpleOptions,
} from './signature-kit.ts';

export type GeneratedSignature =
  | { readonly kind: 'sigstore'; readonly options: SigstoreOptions }
  | { readonly kind: 'simple'; readonly options: SimpleOptions }
  /** Bytes that no reader takes for a signature. */
  | { readonly kind: 'garbage' };

export interface GeneratedCase {
  readonly policy: string;
  /** `docker://…`, or `dir:IMAGE` where IMAGE stands for the folder. */
  readonly reference: string;
  readonly image: 'app' | 'other' | 'multi';
  readonly all: boolean;
  /** Of the top manifest, and of the instance for amd64. */
  readonly signatures: readonly GeneratedSignature[];
  readonly instanceSignatures: readonly GeneratedSignature[];
}

export interface GeneratorPlaces {
  readonly digests: Readonly<Record<string, string>>;
  /** Folder of the keys, for policies. */
  readonly keys: string;
  /** The contents of a key file, for `keyData`. */
  readonly readKey: (name: string) => Uint8Array;
  /** Absolute folder of the image, for scopes of `dir:`. */
  readonly imageFolder: string;
}

const DOMAINS = ['quay.io', 'docker.io', 'reg.example.com', 'a.b.example.com', 'example.com:5000'];
const REPOSITORIES = ['org/app', 'org/other', 'library/busybox'];
const TAGS = ['v1', 'v2', 'latest'];

export function generateCase(random: Random, places: GeneratorPlaces): GeneratedCase {
  const image = random.weighted([
    [6, 'app'],
    [1, 'other'],
    [2, 'multi'],
  ] as const);
  const digest = places.digests[image];
  const domain = random.pick(DOMAINS);
  const repository = random.pick(REPOSITORIES);
  const tag = image === 'other' ? 'v2' : random.pick(['v1', 'v1', 'latest']);
  const isDir = random.chance(0.35);
  const byDigest = !isDir && random.chance(0.25);
  const name = `${domain}/${repository}`;
  const own = byDigest ? `${name}@${digest}` : `${name}:${tag}`;
  const identities = nearIdentities(random, name, tag, digest);
  const identity = (): string => (random.chance(0.8) ? `${name}:${tag}` : random.pick(identities));
  const wanted = (): Want => random.pick(wants);
  const wants: Want[] = [makeWant(random), makeWant(random)];

  const policy = makePolicy(random, places, { domain, name, own, isDir, identities, wanted });
  const count = random.weighted([
    [1, 0],
    [6, 1],
    [3, 2],
    [1, 3],
  ]);
  const signatures = (of: string, howMany: number): GeneratedSignature[] =>
    Array.from({ length: howMany }, () => makeSignature(random, of, places.digests, identity(), wanted()));
  return {
    policy,
    reference: isDir ? 'dir:IMAGE' : `docker://${own}`,
    image,
    all: image === 'multi' && random.chance(0.2),
    signatures: signatures(digest, count),
    instanceSignatures: image === 'multi' ? signatures(places.digests['app'], random.int(3)) : [],
  };
}

function nearIdentities(random: Random, name: string, tag: string, digest: string): readonly string[] {
  return [
    `${name}:${tag}`,
    name,
    `${name}:${random.pick(TAGS)}`,
    `${name}@${digest}`,
    `${random.pick(DOMAINS)}/${random.pick(REPOSITORIES)}:${tag}`,
    `${name}x:${tag}`,
    `signed.example.com/${name.slice(name.indexOf('/') + 1)}:${tag}`,
    'busybox:latest',
    'not a reference',
    '',
  ];
}

/** What a requirement asks and a signature offers, so that the two often meet. */
type Want =
  | {
      readonly kind: 'keys';
      readonly key: (typeof SIGSTORE_KEYS)[number];
      readonly log?: (typeof LOGS)[number];
    }
  | { readonly kind: 'gpg'; readonly key: (typeof GPG_KEYS)[number] }
  | { readonly kind: 'fulcio'; readonly log: (typeof LOGS)[number] }
  | { readonly kind: 'pki' };

function makeWant(random: Random): Want {
  const kind = random.weighted([
    [5, 'keys'],
    [3, 'gpg'],
    [1, 'fulcio'],
    [1, 'pki'],
  ] as const);
  switch (kind) {
    case 'keys':
      return {
        kind,
        key: random.pick(SIGSTORE_KEYS),
        ...(random.chance(0.25) && { log: random.pick(LOGS) }),
      };
    case 'gpg':
      return { kind, key: random.pick(GPG_KEYS) };
    case 'fulcio':
      return { kind, log: random.pick(LOGS) };
    case 'pki':
    default:
      return { kind };
  }
}

interface PolicyContext {
  readonly domain: string;
  readonly name: string;
  readonly own: string;
  readonly isDir: boolean;
  readonly identities: readonly string[];
  readonly wanted: () => Want;
}

function makePolicy(random: Random, places: GeneratorPlaces, context: PolicyContext): string {
  const requirements = (): object[] =>
    Array.from(
      {
        length: random.weighted([
          [5, 1],
          [2, 2],
          [1, 3],
        ]),
      },
      () => makeRequirement(random, places, context),
    );
  const { domain, name, own, isDir } = context;
  const host = domain.replace(/:\d+$/, '');
  const parents = host.split('.').map((_, at, labels) => `*.${labels.slice(at + 1).join('.')}`);
  const dockerScopes = [
    own,
    name,
    name.slice(0, name.lastIndexOf('/')),
    domain,
    host,
    '',
    ...parents,
    `${name}x`,
  ];
  const folder = places.imageFolder;
  const dirScopes = [folder, folder.slice(0, folder.lastIndexOf('/')), '', `${folder}x`];
  const scopes = (all: readonly string[]): Record<string, object[]> =>
    Object.fromEntries(
      Array.from({ length: random.int(4) }, () => [random.pick(all), requirements()] as const),
    );
  const document = {
    default: requirements(),
    ...(random.chance(0.7) && {
      transports: {
        ...(random.chance(isDir ? 0.2 : 0.9) && { docker: scopes(dockerScopes) }),
        ...(random.chance(isDir ? 0.9 : 0.2) && { dir: scopes(dirScopes) }),
      },
    }),
  };
  return damaged(random, JSON.stringify(document));
}

/** Now and then a file that must not be read at all, or that only a lenient reader would take for another. */
function damaged(random: Random, text: string): string {
  if (!random.chance(0.06)) return text;
  return random.pick([
    text.replace('"type"', '"Type"'),
    text.replace('{"type":', '{"type":"reject","type":'),
    text.replace('"default":', '"default":[{"type":"insecureAcceptAnything"}],"default":'),
    `${text}]`,
    text.replace('"default"', '"defaults"'),
    text.replace('}]', ',"x":1}]'),
    text.replace('[{', '[/* yes */{'),
    ` ${text}\n`,
  ]);
}

function makeRequirement(random: Random, places: GeneratorPlaces, context: PolicyContext): object {
  const type = random.weighted([
    [1, 'insecureAcceptAnything'],
    [0.5, 'reject'],
    [0.15, 'signedBaseLayer'],
    [12, 'signed'],
  ] as const);
  if (type === 'signedBaseLayer') return { type, baseLayerIdentity: { type: 'matchExact' } };
  if (type !== 'signed') return { type };
  const identity = makeIdentity(random, context);
  const want = context.wanted();
  const key = (name: string): string => `${places.keys}/${name}`;
  switch (want.kind) {
    case 'gpg':
      return {
        type: 'signedBy',
        keyType: random.chance(0.04) ? 'X509Certificates' : 'GPGKeys',
        ...keyMembers(random, places, '', `${want.key}.gpg`, `${random.pick(GPG_KEYS)}.gpg`, false),
        ...identity,
      };
    case 'fulcio':
      return {
        type: 'sigstoreSigned',
        fulcio: {
          ...(random.chance(0.8)
            ? { caPath: key(random.chance(0.9) ? 'fulcio-root.pem' : 'pki-root.pem') }
            : { caData: base64(places.readKey('fulcio-root.pem')) }),
          oidcIssuer: random.chance(0.9) ? ISSUER : `${ISSUER}/`,
          subjectEmail: random.chance(0.85) ? EMAIL : OTHER_EMAIL,
        },
        ...logMembers(random, places, want.log),
        ...identity,
      };
    case 'pki':
      return {
        type: 'sigstoreSigned',
        pki: {
          caRootsPath: key(random.chance(0.9) ? 'pki-root.pem' : 'fulcio-root.pem'),
          ...(random.chance(0.4) && { caIntermediatesPath: key('pki-intermediate.pem') }),
          ...(random.chance(0.8) && { subjectEmail: random.chance(0.85) ? EMAIL : OTHER_EMAIL }),
          ...(random.chance(0.4) && {
            subjectHostname: random.pick(['build.example.com', 'BUILD.example.com.', 'x.example.com']),
          }),
        },
        ...identity,
      };
    case 'keys':
    default:
      return {
        type: 'sigstoreSigned',
        ...keyMembers(random, places, '', `${want.key}.pub`, `${random.pick(SIGSTORE_KEYS)}.pub`, true),
        ...(want.log !== undefined && logMembers(random, places, want.log)),
        ...(random.chance(0.03) && { rekorPublicKeyPath: '' }),
        ...identity,
      };
  }
}

function logMembers(random: Random, places: GeneratorPlaces, log: string): object {
  return keyMembers(random, places, 'rekorPublicKey', `${log}.pub`, `${random.pick(LOGS)}.pub`, true);
}

/** One of the ways to name keys; usually the right one is among them. */
function keyMembers(
  random: Random,
  places: GeneratorPlaces,
  prefix: string,
  right: string,
  other: string,
  hasDatas: boolean,
): object {
  const file = random.weighted([
    [12, right],
    [3, other],
    [0.5, 'absent.pub'],
    [0.5, 'garbage.pub'],
  ]);
  const member = (form: string): string => (prefix === '' ? `key${form}` : `${prefix}${form}`);
  const path = (name: string): string => `${places.keys}/${name}`;
  const data = (name: string): string => base64(places.readKey(name === 'absent.pub' ? 'garbage.pub' : name));
  const two = random.chance(0.5) ? [file, other] : [other, file];
  const form = random.weighted([
    [5, 'Path'],
    [2, 'Paths'],
    [2, 'Data'],
    [hasDatas ? 1 : 0, 'Datas'],
  ]);
  switch (form) {
    case 'Paths':
      return { [member(form)]: two.map(path) };
    case 'Data':
      return { [member(form)]: data(file) };
    case 'Datas':
      return { [member(form)]: two.map(data) };
    case 'Path':
    default:
      return { [member('Path')]: path(file) };
  }
}

function makeIdentity(random: Random, { name, own, domain, identities }: PolicyContext): object {
  const reference = (): string => (random.chance(0.6) ? own : random.pick(identities));
  const type = random.weighted([
    [2, 'default'],
    [2, 'matchExact'],
    [2, 'matchRepoDigestOrExact'],
    [3, 'matchRepository'],
    [3, 'exactReference'],
    [3, 'exactRepository'],
    [2, 'remapIdentity'],
  ] as const);
  switch (type) {
    case 'default':
      return {};
    case 'exactReference':
      return { signedIdentity: { type, dockerReference: reference() } };
    case 'exactRepository':
      return { signedIdentity: { type, dockerRepository: random.chance(0.6) ? name : reference() } };
    case 'remapIdentity': {
      const prefix = random.pick([domain, name, name.slice(0, name.lastIndexOf('/')), 'quay.io']);
      const signedPrefix = random.pick([prefix, 'signed.example.com', domain, `signed.example.com/org`]);
      return { signedIdentity: { type, prefix, signedPrefix } };
    }
    case 'matchExact':
    case 'matchRepoDigestOrExact':
    case 'matchRepository':
    default:
      return { signedIdentity: { type } };
  }
}

function makeSignature(
  random: Random,
  digest: string,
  digests: Readonly<Record<string, string>>,
  identity: string,
  want: Want,
): GeneratedSignature {
  if (random.chance(0.015)) return { kind: 'garbage' };
  const of = random.chance(0.88) ? digest : random.pick(Object.values(digests));
  if (want.kind === 'gpg') {
    const fault = random.chance(0.88) ? undefined : random.pick(['type', 'json', 'cut'] as const);
    const by = random.chance(0.85) ? want.key : random.pick(GPG_KEYS);
    return { kind: 'simple', options: { digest: of, identity, by, ...(fault && { fault }) } };
  }
  const isCertified = want.kind !== 'keys';
  const by = isCertified
    ? random.weighted([
        [8, want.kind],
        [1, `${want.kind}-other` as const],
      ])
    : random.chance(0.85)
      ? want.key
      : random.pick(SIGSTORE_KEYS);
  const faults = [
    'base64',
    'no-annotation',
    'mime',
    'payload-json',
    'payload-type',
    'signature',
    'raw',
  ] as const;
  const fault = random.chance(0.88)
    ? undefined
    : isCertified && random.chance(0.4)
      ? 'no-chain'
      : random.pick(faults);
  const log = want.kind === 'pki' ? undefined : want.log;
  const set = log === undefined || random.chance(0.1) ? undefined : makeSet(random, log);
  return {
    kind: 'sigstore',
    options: { digest: of, identity, by, ...(set && { set }), ...(fault && { fault }) },
  };
}

function makeSet(random: Random, log: (typeof LOGS)[number]): SetOptions {
  const faults = ['key', 'signature', 'payload', 'changed', 'time', 'kind', 'garbage'] as const;
  return {
    log: random.chance(0.9) ? log : random.pick(LOGS),
    ...(random.chance(0.2) && { fault: random.pick(faults) }),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
