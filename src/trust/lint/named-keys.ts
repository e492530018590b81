/** The keys and certificates that requirements name, for whoever can look at files. */
import type { Certificates, KeySource } from '../../formats/policy-json/policy.ts';
import type { LintRequirement } from './shape.ts';

/** A key or certificate that a requirement names, with the place that names it. */
export interface NamedKey {
  readonly kind: 'gpg' | 'sigstore' | 'rekor' | 'certificates';
  /** The policy's spelling: `keyPath`, `caRootsData`, … */
  readonly member: string;
  readonly offset: number;
  readonly path?: string;
  readonly data?: Uint8Array;
}

export function namedKeys({ requirement, offsetOf }: LintRequirement): readonly NamedKey[] {
  if (requirement?.type === 'signedBy') return fromSource('gpg', requirement.keys, offsetOf);
  if (requirement?.type !== 'sigstoreSigned') return [];
  const { trust, rekor } = requirement;
  const keys = rekor === undefined ? [] : fromSource('rekor', rekor.source, offsetOf);
  switch (trust.kind) {
    case 'keys':
      return [...fromSource('sigstore', trust.keys, offsetOf), ...keys];
    case 'fulcio':
      return [...fromCertificates('ca', trust.fulcio.ca, offsetOf('fulcio')), ...keys];
    case 'pki':
    default: {
      const { roots, intermediates } = trust.pki;
      const offset = offsetOf('pki');
      return [
        ...fromCertificates('caRoots', roots, offset),
        ...(intermediates ? fromCertificates('caIntermediates', intermediates, offset) : []),
      ];
    }
  }
}

function fromSource(
  kind: NamedKey['kind'],
  source: KeySource,
  offsetOf: (member: string) => number,
): NamedKey[] {
  const { member } = source;
  const offset = offsetOf(member);
  return source.kind === 'paths'
    ? source.paths.filter((path) => path !== '').map((path) => ({ kind, member, offset, path }))
    : source.data.filter((data) => data.length > 0).map((data) => ({ kind, member, offset, data }));
}

function fromCertificates(prefix: string, { path, data }: Certificates, offset: number): NamedKey[] {
  const kind = 'certificates' as const;
  return path === undefined
    ? [{ kind, member: `${prefix}Data`, offset, ...(data && { data }) }]
    : [{ kind, member: `${prefix}Path`, offset, path }];
}
