/** What a `sigstoreSigned` requirement trusts, opened: keys, Fulcio with a log, or a PKI of one's own. */
import { BootsealError } from '../../errors.ts';
import { equalBytes } from '../../bytes/bytes.ts';
import type { SigstorePublicKey } from '../../formats/cosign/public-key.ts';
import type { Certificates, KeySource, SigstoreSigned } from '../../formats/policy-json/policy.ts';
import type { KeyReader } from '../ports.ts';
import { MAX_POOL_SIZE } from '../x509/limits.ts';
import type { CertifiedKey } from './certificate-roots.ts';
import {
  parseKeys,
  parseTrustedKey,
  readTrustFiles,
  type TrustedKey,
  type TrustFile,
} from './sigstore-keys.ts';

export type TrustRoot =
  | { readonly kind: 'keys'; readonly keys: readonly TrustedKey[]; readonly logKeys?: LogKeys }
  | {
      readonly kind: 'fulcio';
      readonly subject: string;
      readonly key: CertifiedKey;
      readonly logKeys: LogKeys;
    }
  | { readonly kind: 'pki'; readonly subject: string; readonly key: CertifiedKey };

/** Keys of Rekor logs: ECDSA. */
export type LogKeys = readonly SigstorePublicKey[];

interface Opened {
  readonly files: readonly TrustFile[];
  readonly root: TrustRoot;
}

/** Parsing keys costs more than checking a signature with them, and a policy judges many images. */
const OPENED = new WeakMap<SigstoreSigned, Opened>();

/**
 * Reads everything that the requirement names, each time, and parses it when it is not what it was. All of it
 * must load, even if the first key would do: a key that someone believed to be trusted is not left out silently.
 * Throws `trust/key-unreadable`, with the peer's words.
 */
export async function openTrustRoot(requirement: SigstoreSigned, reader: KeyReader): Promise<TrustRoot> {
  const { trust, rekor } = requirement;
  const sources: readonly (KeySource | undefined)[] = [
    ...sourcesOf(trust),
    rekor?.isEmpty === false ? rekor.source : undefined,
  ];
  const read: (readonly TrustFile[])[] = [];
  for (const source of sources) {
    const maxSize = trust.kind !== 'keys' && source !== rekor?.source ? MAX_POOL_SIZE : undefined;
    read.push(source === undefined ? [] : await readTrustFiles(source, reader, maxSize));
  }
  const files = read.flat();
  const known = OPENED.get(requirement);
  if (known !== undefined && sameFiles(known.files, files)) return known.root;
  const root = await parseTrustRoot(requirement, read);
  OPENED.set(requirement, { files, root });
  return root;
}

/** In the order in which the peer complains. */
function sourcesOf(trust: SigstoreSigned['trust']): readonly (KeySource | undefined)[] {
  switch (trust.kind) {
    case 'keys':
      return [trust.keys];
    case 'fulcio':
      return [certificateSource('ca', trust.fulcio.ca)];
    case 'pki':
    default:
      return [
        certificateSource('caRoots', trust.pki.roots),
        trust.pki.intermediates && certificateSource('caIntermediates', trust.pki.intermediates),
      ];
  }
}

function certificateSource(prefix: string, { path, data }: Certificates): KeySource {
  if (path !== undefined) return { kind: 'paths', member: `${prefix}Path`, paths: [path] };
  return { kind: 'data', member: `${prefix}Data`, data: [data ?? new Uint8Array(0)] };
}

function sameFiles(known: readonly TrustFile[], files: readonly TrustFile[]): boolean {
  return known.length === files.length && known.every(({ bytes }, at) => equalBytes(bytes, files[at].bytes));
}

async function parseTrustRoot(
  { trust, rekor }: SigstoreSigned,
  read: readonly (readonly TrustFile[])[],
): Promise<TrustRoot> {
  const logFiles = read.at(-1)!;
  const logKeys = rekor?.isEmpty === false ? parseLogKeys(logFiles) : undefined;
  switch (trust.kind) {
    case 'keys':
      return { kind: 'keys', keys: parseKeys(read[0]), ...(logKeys !== undefined && { logKeys }) };
    case 'fulcio': {
      const { openFulcio } = await import('./certificate-roots.ts');
      const key = openFulcio(read[0][0], trust.fulcio);
      if (logKeys === undefined) throw unreadable('Fulcio CA specified without a Rekor public key');
      const { subjectEmail, oidcIssuer } = trust.fulcio;
      return { kind: 'fulcio', subject: `${subjectEmail} by ${oidcIssuer}`, key, logKeys };
    }
    case 'pki':
    default: {
      const { openPki } = await import('./certificate-roots.ts');
      const { subjectEmail, subjectHostname } = trust.pki;
      const subject = [subjectEmail, subjectHostname].filter((each) => each !== undefined).join(', ');
      return { kind: 'pki', subject, key: openPki(read[0][0], read[1], trust.pki) };
    }
  }
}

function parseLogKeys(files: readonly TrustFile[]): LogKeys {
  const keys = files.map((file, at) => {
    const key = parseTrustedKey(file, `parsing Rekor public key ${at + 1}`);
    if (key.algorithm !== 'ecdsa')
      throw unreadable(`Rekor public key ${at + 1} is not using ECDSA`, file.source);
    return key;
  });
  if (keys.length === 0) throw unreadable('the policy asks for a Rekor entry and names no key of the log');
  return keys;
}

function unreadable(message: string, where?: string): BootsealError {
  return new BootsealError('trust/key-unreadable', message, where === undefined ? {} : { where });
}
