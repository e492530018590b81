/**
 * trusted_root.json of sigstore: the authorities and logs that keyless signatures are checked against. It comes from the
 * user, as a file; nothing is fetched. Checks of logs and timestamps are those of the sigstore library.
 */
import type { TrustMaterial } from '@sigstore/verify';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { parseStrictJson } from '../../formats/strict-json/parser.ts';
import { plainValue } from '../../formats/strict-json/plain.ts';
import { readPathCertificate, type PathCertificate } from '../x509/path-certificate.ts';

/** The public one has 6 KiB. */
export const MAX_TRUSTED_ROOT_SIZE: number = 4 * 1024 * 1024;

const MEDIA_TYPES: readonly string[] = [
  'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  'application/vnd.dev.sigstore.trustedroot.v0.1+json',
  'application/vnd.dev.sigstore.trustedroot.v0.2+json',
];

export interface TrustedRoot {
  readonly material: TrustMaterial;
  readonly authorities: readonly CertificateAuthority[];
}

/** One authority, and when it may have issued. Milliseconds since 1970. */
export interface CertificateAuthority {
  readonly root: PathCertificate;
  readonly intermediates: readonly PathCertificate[];
  readonly from: number;
  readonly until: number;
}

/**
 * Throws `trust/trusted-root`. One that lacks an authority, a log or a certificate log is refused: what it was to check
 * would otherwise pass unchecked, or never.
 */
export async function parseTrustedRoot(bytes: Uint8Array, source: string): Promise<TrustedRoot> {
  const [{ toTrustMaterial }, { TrustedRoot: Message }] = await Promise.all([
    import('@sigstore/verify'),
    import('@sigstore/protobuf-specs'),
  ]);
  try {
    const document = plainValue(parseStrictJson(bytes, { maxSize: MAX_TRUSTED_ROOT_SIZE, maxDepth: 32 }));
    const message = Message.fromJSON(document);
    if (!MEDIA_TYPES.includes(message.mediaType)) throw bad('not a trusted_root.json of version 0.1 or 0.2');
    const material = toTrustMaterial(message);
    const empty = (['certificateAuthorities', 'tlogs', 'ctlogs'] as const).find(
      (part) => material[part].length === 0,
    );
    if (empty !== undefined) throw bad(`it has no ${empty}`);
    const authorities = message.certificateAuthorities.map(({ certChain, validFor }) => {
      const chain = (certChain?.certificates ?? []).map(({ rawBytes }) => readPathCertificate(rawBytes));
      const root = chain.at(-1);
      if (root === undefined) throw bad('an authority without certificates');
      return {
        root,
        intermediates: chain.slice(0, -1),
        from: validFor?.start?.getTime() ?? -Infinity,
        until: validFor?.end?.getTime() ?? Infinity,
      };
    });
    return { material, authorities };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const cause = isBootsealError(error) ? (error.cause ?? error) : error;
    throw new BootsealError('trust/trusted-root', `trusted root ${source}: ${message}`, {
      cause,
      where: source,
      hint: 'export one: cosign trusted-root create, or copy trusted_root.json of a TUF client’s cache',
    });
  }
}

function bad(message: string): Error {
  return new Error(message);
}
