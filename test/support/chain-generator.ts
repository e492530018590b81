/** Certificate chains made up from a seed: right in most respects, so that what is wrong decides. */
import { generateKeyPairSync } from 'node:crypto';
import type { Random } from './random.ts';
import {
  alternativeNames,
  ANY_USAGE,
  ca,
  CODE_SIGNING,
  extendedUsage,
  makeCertificate,
  nameConstraints,
  SERVER_AUTH,
  unknownExtension,
  usage,
  type CertificateShape,
  type Extension,
  type MadeCertificate,
  type Names,
} from './x509-maker.ts';

export interface GeneratedChain {
  readonly leaf: MadeCertificate;
  /** PEM of the annotation; its last certificate counts for nothing. */
  readonly chain: string;
  readonly roots: string;
  /** PEM that the policy names, if it names any. */
  readonly intermediates?: string;
  readonly hostname?: string;
}

/** Keys are slow to make: a few serve all. */
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const SHORT_RSA = generateKeyPairSync('rsa', { modulusLength: 1024 });
const ED25519 = generateKeyPairSync('ed25519');
const P521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });

export function generateChain(random: Random): GeneratedChain {
  const depth = random.weighted([
    [2, 0],
    [4, 1],
    [3, 2],
    [1, 3],
  ]);
  const authorities: MadeCertificate[] = [];
  for (let level = 0; level <= depth; level++) {
    const issuer = authorities.at(-1);
    authorities.push(
      makeCertificate({
        name: random.chance(0.95) ? `authority ${level}` : 'authority 0',
        ...(issuer && { issuer }),
        ...(issuer && random.chance(0.02) && { issuerName: 'somebody else' }),
        ...commonShape(random),
        extensions: authorityExtensions(random, depth - level),
      }),
    );
  }
  // A second certificate for the same authority, with other limits: two paths.
  const crossed =
    depth > 0 && random.chance(0.2)
      ? makeCertificate({
          name: authorities[1].name,
          issuer: authorities[0],
          keys: { privateKey: authorities[1].key, publicKey: authorities[1].publicKey },
          extensions: authorityExtensions(random, depth - 1),
        })
      : undefined;
  const names: Names = {
    emails: random.chance(0.95) ? ['dev@example.com'] : ['other@example.com'],
    dns: random.pick([[], ['build.example.com'], ['*.example.com', 'build.example.org'], ['example.com']]),
    ...(random.chance(0.1) && {
      uris: [random.pick(['https://ci.example.com/x', 'https://10.0.0.1/', 'urn:x:y', 'https://a..b/'])],
    }),
    ...(random.chance(0.15) && {
      addresses: [random.pick([Uint8Array.of(10, 0, 0, 1), Uint8Array.of(1, 2, 3), new Uint8Array(16)])],
    }),
    ...(random.chance(0.05) && { other: true }),
  };
  const leaf = makeCertificate({
    name: 'leaf',
    issuer: authorities.at(-1)!,
    ...commonShape(random),
    extensions: [
      ...(random.chance(0.7) ? [usage(0)] : []),
      ...maybeUsages(random),
      ...(random.chance(0.97) ? [alternativeNames(names, random.chance(0.3))] : []),
      ...(random.chance(0.05) ? [ca(random.chance(0.5))] : []),
      ...(random.chance(0.04) ? [unknownExtension(random.chance(0.5))] : []),
    ],
  });
  const between = authorities.slice(1).toReversed();
  if (random.chance(0.1)) between.reverse();
  const withCross = crossed === undefined ? between : [crossed, ...between];
  const inChain = random.chance(0.8) ? withCross : [];
  const last = random.chance(0.9) ? [authorities[0]] : [];
  const rootList = random.chance(0.95) ? [authorities[0]] : [authorities.at(-1)!];
  const stranger = makeCertificate({ name: 'authority 0', extensions: [ca()] });
  if (random.chance(0.15)) rootList.unshift(stranger);
  const pem = (list: readonly MadeCertificate[]): string => list.map((each) => each.pem).join('');
  return {
    leaf,
    chain: pem([...inChain, ...last]) + (random.chance(0.03) ? 'something\n' : ''),
    roots: (random.chance(0.1) ? 'a bundle\n' : '') + pem(rootList),
    ...(random.chance(0.3) && { intermediates: pem(withCross.length > 0 ? withCross : [stranger]) }),
    ...(random.chance(0.3) && {
      hostname: random.pick([
        'build.example.com',
        'BUILD.example.com.',
        'x.example.com',
        'a.b.example.com',
        '10.0.0.1',
        '[::]',
        '*.example.com',
        'build.example.org',
      ]),
    }),
  };
}

function commonShape(random: Random): Partial<CertificateShape> {
  return {
    ...(random.chance(0.03) && { notAfter: '2021-01-01T00:00:00Z' }),
    ...(random.chance(0.02) && { notBefore: '2100-01-01T00:00:00Z' }),
    ...(random.chance(0.1) && { hash: random.pick(['sha1', 'sha384', 'sha512'] as const) }),
    ...(random.chance(0.3) && {
      pss: random.weighted([
        [3, 'plain'],
        [1, 'odd'],
      ] as const),
    }),
    ...(random.chance(0.3) && { keys: random.pick([RSA, RSA, RSA, SHORT_RSA, ED25519, P521]) }),
  };
}

function authorityExtensions(random: Random, below: number): readonly Extension[] {
  const length = random.chance(0.6)
    ? undefined
    : Math.max(
        0,
        below -
          1 +
          random.weighted([
            [4, 0],
            [1, 1],
            [1, -1],
          ]),
      );
  return [
    ...(random.chance(0.97) ? [ca(random.chance(0.98), length)] : []),
    ...(random.chance(0.7) ? [random.chance(0.95) ? usage(5) : usage(0)] : []),
    ...(random.chance(0.3) ? maybeUsages(random) : []),
    ...(random.chance(0.2) ? [makeConstraints(random)] : []),
    ...(random.chance(0.03) ? [unknownExtension(random.chance(0.5))] : []),
  ];
}

function maybeUsages(random: Random): readonly Extension[] {
  return random.weighted([
    [4, [extendedUsage(CODE_SIGNING)]],
    [3, []],
    [1, [extendedUsage(SERVER_AUTH, CODE_SIGNING)]],
    [0.5, [extendedUsage(ANY_USAGE)]],
    [0.5, [extendedUsage(SERVER_AUTH)]],
  ]);
}

function makeConstraints(random: Random): Extension {
  const names = (): Names =>
    random.pick<Names>([
      { dns: ['example.com'] },
      { dns: ['.example.com'] },
      { dns: ['build.example.com'] },
      { dns: [''] },
      { emails: ['example.com'] },
      { emails: ['.example.com'] },
      { emails: ['dev@example.com'] },
      { emails: ['other@example.com'] },
      { addresses: [Uint8Array.of(10, 0, 0, 0, 255, 0, 0, 0)] },
      { addresses: [Uint8Array.of(10, 0, 0, 0, 255, 0, 255, 0)] },
      { uris: ['example.com'] },
      { uris: ['.example.com'] },
      { other: true },
    ]);
  const side = random.weighted([
    [3, 'permitted'],
    [2, 'excluded'],
    [1, 'both'],
    [0.2, 'none'],
  ] as const);
  return nameConstraints(
    {
      ...((side === 'permitted' || side === 'both') && { permitted: names() }),
      ...((side === 'excluded' || side === 'both') && { excluded: names() }),
    },
    random.chance(0.7),
  );
}
