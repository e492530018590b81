/**
 * `verify --as cosign`: what `cosign verify --key` of release 3 says. It looks for bundles first; only where there is
 * none does it look at the attachment. It compares the digest alone, never the name, and judges what the name means
 * (of an index the index). A log entry is not asked for, as with --insecure-ignore-tlog.
 */
import { decodeUtf8 } from '../bytes/bytes.ts';
import type { ErrorCode } from '../errors.ts';
import { attachmentTag } from '../formats/cosign/attachment.ts';
import { SIGNATURE_ANNOTATION, type RawSignature } from '../formats/cosign/signature.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { MEDIA_TYPES } from '../formats/oci/media-types.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import { decodeGoBase64 } from '../formats/strict-json/go-base64.ts';
import type { ImageSource } from '../stores/image.ts';
import { openSource, type TransportOptions } from '../stores/open.ts';
import type { Step } from '../steps.ts';
import { judgeKeyBundle } from '../trust/bundles/key-bundle.ts';
import { readEcdsaSignature } from '../trust/signatures/ecdsa-encoding.ts';
import type { TrustedKey } from '../trust/signatures/sigstore-keys.ts';
import { checkSignature } from '../trust/signatures/verify-bytes.ts';
import type { LookedIn, SignatureVerdict } from '../trust/verdict.ts';
import type { FoundBundle } from '../trust/bundles/found.ts';
import { readBundles } from './bundles-of.ts';
import { readAttachment } from './signatures-of.ts';

export interface CosignRequest {
  readonly image: ImageName;
  readonly key: TrustedKey;
}

export interface CosignPorts {
  /** An open source is used and left open; else one is opened and closed here. */
  readonly source?: ImageSource;
  readonly transport?: TransportOptions;
}

export interface CosignVerdict {
  readonly allowed: boolean;
  /** What decided: bundles, where there is one; else the attachment. */
  readonly form: 'bundle' | 'attachment';
  readonly pinnedDigest: Digest;
  readonly reasonCode?: ErrorCode;
  readonly message?: string;
  readonly signatures: readonly SignatureVerdict[];
  readonly lookedIn: readonly LookedIn[];
  readonly steps: readonly Step[];
}

export async function verifyAsCosign(
  request: CosignRequest,
  ports: CosignPorts = {},
): Promise<CosignVerdict> {
  const source = ports.source ?? (await openSource(request.image, ports.transport));
  try {
    const { digest } = await source.topManifest();
    return await judge(source, digest, request);
  } finally {
    if (ports.source === undefined) await source.close();
  }
}

async function judge(
  source: ImageSource,
  digest: Digest,
  { key, image }: CosignRequest,
): Promise<CosignVerdict> {
  // 1. Bundles. Those that cannot be read count as not there.
  const found = await readBundles(source, digest);
  const bundles = found.filter((each): each is Extract<FoundBundle, { bundle: unknown }> => 'bundle' in each);
  const unread = found.length - bundles.length;
  const lookedIn: LookedIn[] = [
    {
      place: 'referrers',
      result: `${counted(bundles.length, 'bundle')}${unread > 0 ? `, ${unread} that cannot be read` : ''}`,
    },
  ];
  if (bundles.length > 0) {
    // cosign assumes SHA-256 of every key file, whatever the curve, and takes attestations for signatures.
    const question = { keys: [key], image: digest, hashes: ['sha256'] as const, anyPredicate: true };
    const signatures = bundles.map(({ bundle }) => judgeKeyBundle(bundle, question));
    return conclude({ form: 'bundle', pinnedDigest: digest, signatures, lookedIn }, image);
  }
  // 2. The attachment.
  const tag = attachmentTag(digest);
  const attached = (await readAttachment(source, digest, tag)) ?? [];
  lookedIn.push({ place: tag, result: counted(attached.length, 'signature') });
  const signatures = attached.map((signature) => judgeAttached(signature, key, digest));
  return conclude({ form: 'attachment', pinnedDigest: digest, signatures, lookedIn }, image);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function judgeAttached(signature: RawSignature, trusted: TrustedKey, digest: Digest): SignatureVerdict {
  const refused = (code: ErrorCode, message: string): SignatureVerdict => ({
    accepted: false,
    code,
    message,
  });
  if (signature.kind !== 'sigstore' || signature.mimeType !== MEDIA_TYPES.cosignSimpleSigning) {
    return refused('trust/malformed-signature', 'not a signature of an image');
  }
  const decoded = decodeGoBase64(signature.annotations.get(SIGNATURE_ANNOTATION) ?? '');
  const { key, source } = trusted;
  const isDer = (bytes: Uint8Array): boolean =>
    key.algorithm !== 'ecdsa' || readEcdsaSignature(bytes, key.fieldSize ?? 0).form === 'der';
  const good =
    typeof decoded !== 'number' &&
    isDer(decoded) &&
    checkSignature(key, signature.payload, decoded) === undefined;
  if (!good) return refused('trust/bad-signature', 'the signature is not by the key');
  const by = { keyFingerprint: key.fingerprint, keySource: source };
  const claimed = claimedDigest(signature.payload);
  if (claimed === digest) return { accepted: true, ...by };
  const message = `Signature for digest ${claimed ?? 'of nothing'} does not match`;
  return { ...refused('trust/digest-mismatch', message), ...by };
}

/** As lenient as cosign: anything that holds the member will do. The bytes were authenticated before. */
function claimedDigest(payload: Uint8Array): string | undefined {
  try {
    const { critical } = JSON.parse(decodeUtf8(payload) ?? '') as {
      critical?: { image?: Record<string, unknown> };
    };
    const digest = critical?.image?.['docker-manifest-digest'];
    return typeof digest === 'string' ? digest : undefined;
  } catch {
    return undefined;
  }
}

function conclude(
  verdict: Pick<CosignVerdict, 'form' | 'pinnedDigest' | 'signatures' | 'lookedIn'>,
  image: ImageName,
): CosignVerdict {
  const { signatures, form, lookedIn, pinnedDigest } = verdict;
  const accepted = signatures.find((each) => each.accepted);
  const reason =
    accepted !== undefined
      ? undefined
      : (signatures.find(({ code }) => code !== 'trust/bad-signature') ??
        signatures[0] ?? { code: 'trust/no-signature' as const, message: 'no signatures found' });
  const hint =
    signatures.length === 0
      ? `sign it: bootseal sign --sign-by-sigstore-private-key KEY ${formatImageName(image)}`
      : reason !== undefined && form === 'bundle'
        ? 'where an image has a bundle, cosign 3 looks at nothing else: sign a bundle too'
        : undefined;
  const summary =
    accepted === undefined
      ? `cosign refuses: ${reason?.message ?? ''}`
      : `cosign accepts: ${form} by sigstore key ${accepted.keyFingerprint}`;
  return {
    ...verdict,
    allowed: accepted !== undefined,
    ...(reason?.code !== undefined && { reasonCode: reason.code }),
    ...(reason?.message !== undefined && { message: reason.message }),
    steps: [
      {
        id: 'signature',
        title: 'signature',
        state: accepted === undefined ? 'failed' : 'passed',
        summary,
        details: [
          { label: 'digest', value: pinnedDigest },
          ...lookedIn.map(({ place, result }) => ({ label: 'looked in', value: `${place}  ${result}` })),
        ],
        ...(reason?.code !== undefined && { code: reason.code }),
        ...(hint !== undefined && { hint }),
      },
    ],
  };
}
