/** Each type of requirement, judged by itself. */
import { isBootsealError, type ErrorCode } from '../errors.ts';
import { MAX_SIGNATURES } from '../formats/cosign/attachment.ts';
import type { RawSignature, SigstoreSignature } from '../formats/cosign/signature.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { MEDIA_TYPES } from '../formats/oci/media-types.ts';
import type { KeySource, Requirement, SigstoreSigned } from '../formats/policy-json/policy.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import type { KeyReader, SignatureReader } from './ports.ts';
import { describeImage } from './scope.ts';
import { loadKeys, type TrustedKey } from './signatures/sigstore-keys.ts';
import { judgeSigstoreSignature } from './signatures/sigstore.ts';
import type { RequirementVerdict, SignatureVerdict } from './verdict.ts';

export interface RequirementQuestion {
  readonly image: ImageName;
  readonly manifestDigest: Digest;
  readonly signatures: SignatureReader;
  readonly keys: KeyReader;
}

export async function judgeRequirement(
  requirement: Requirement,
  question: RequirementQuestion,
): Promise<RequirementVerdict> {
  const { type } = requirement;
  switch (type) {
    case 'insecureAcceptAnything':
      return { type, allowed: true, signatures: [] };
    case 'reject': {
      const message = `Running image ${describeImage(question.image)} is rejected by policy.`;
      return { type, allowed: false, reasonCode: 'trust/rejected', message, signatures: [] };
    }
    case 'sigstoreSigned':
      return judgeSigstoreSigned(requirement, question);
    case 'signedBaseLayer':
      return unsupported(type, 'signedBaseLayer not implemented yet!');
    case 'signedBy':
    default:
      return unsupported(type, `requirement ${type} is not supported yet, so nothing can satisfy it`);
  }
}

/** Satisfied by any one signature: a bad one beside it does no harm. */
async function judgeSigstoreSigned(
  requirement: SigstoreSigned,
  question: RequirementQuestion,
): Promise<RequirementVerdict> {
  const { type, trust, rekor } = requirement;
  if (trust.kind !== 'keys')
    return unsupported(type, `sigstoreSigned with ${trust.kind} is not supported yet`);
  // Also where the member is empty: whoever wrote it meant something, and upstream then asks for nothing.
  if (rekor !== undefined)
    return unsupported(type, `sigstoreSigned with ${rekor.source.member} is not supported yet`);
  const wants = describeKeys(trust.keys);

  let all: readonly RawSignature[];
  try {
    all = await question.signatures();
  } catch (error) {
    // A signature that is there and malformed is a no. Not having reached the store is no verdict at all.
    if (!isBootsealError(error) || !error.code.startsWith('cosign/')) throw error;
    return {
      type,
      allowed: false,
      reasonCode: 'trust/malformed-signature',
      message: error.message,
      wants,
      signatures: [],
    };
  }
  const candidates = all.filter(isCandidate);
  if (candidates.length === 0) {
    return {
      type,
      allowed: false,
      reasonCode: 'trust/no-signature',
      message: noSignature(all),
      wants,
      signatures: [],
    };
  }
  if (candidates.length > MAX_SIGNATURES) {
    const message = `${candidates.length} signatures exceed the limit of ${MAX_SIGNATURES}`;
    return { type, allowed: false, reasonCode: 'trust/too-many-signatures', message, wants, signatures: [] };
  }
  let keys: readonly TrustedKey[];
  try {
    keys = await loadKeys(trust.keys, question.keys);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const refused: SignatureVerdict = {
      accepted: false,
      code: 'trust/key-unreadable',
      message: error.message,
    };
    return summarise(
      requirement,
      wants,
      candidates.map(() => refused),
    );
  }
  const verdicts: SignatureVerdict[] = [];
  for (const candidate of candidates) {
    const verdict = judgeSigstoreSignature(candidate, {
      keys,
      identityRule: requirement.signedIdentity,
      image: question.image.transport === 'docker' ? question.image.reference : undefined,
      manifestDigest: question.manifestDigest,
    });
    verdicts.push(verdict);
    if (verdict.accepted) break;
  }
  return summarise(requirement, wants, verdicts);
}

function summarise(
  { type }: Requirement,
  wants: string,
  signatures: readonly SignatureVerdict[],
): RequirementVerdict {
  if (signatures.at(-1)?.accepted === true) return { type, allowed: true, wants, signatures };
  const reasons = signatures.map((verdict) => verdict.message ?? '');
  const shown = reasons.slice(0, MAX_REASONS);
  if (reasons.length > MAX_REASONS) shown.push(`and ${reasons.length - MAX_REASONS} more`);
  const message =
    reasons.length === 1 ? reasons[0] : `None of the signatures were accepted, reasons: ${shown.join('; ')}`;
  return {
    type,
    allowed: false,
    ...leadingReason(signatures),
    message,
    wants,
    signatures,
  };
}

/** Anyone who may push can add signatures, and reasons with them. */
const MAX_REASONS = 100;

/** Of several reasons, the one that came closest to acceptance. */
const CLOSEST_FIRST: readonly ErrorCode[] = [
  'trust/identity-mismatch',
  'trust/digest-mismatch',
  'trust/malformed-payload',
];

function leadingReason(signatures: readonly SignatureVerdict[]): { readonly reasonCode?: ErrorCode } {
  const codes = signatures.flatMap(({ code }) => code ?? []);
  const closest = CLOSEST_FIRST.find((code) => codes.includes(code)) ?? codes[0];
  return closest === undefined ? {} : { reasonCode: closest };
}

function isCandidate(signature: RawSignature): signature is SigstoreSignature {
  return signature.kind === 'sigstore' && signature.mimeType === MEDIA_TYPES.cosignSimpleSigning;
}

function noSignature(all: readonly RawSignature[]): string {
  const simple = all.filter(({ kind }) => kind === 'simple-signing').length;
  const others = all.length - simple;
  const suffix =
    all.length === 0
      ? ''
      : ` (${simple} non-sigstore signatures, ${others} sigstore non-signature attachments)`;
  return `A signature was required, but no signature exists${suffix}`;
}

function describeKeys(source: KeySource): string {
  if (source.kind === 'data')
    return `${source.data.length === 1 ? 'key' : 'keys'} in the policy (${source.member})`;
  return `${source.paths.length === 1 ? 'key' : 'keys'} ${source.paths.join(', ')}`;
}

function unsupported(type: Requirement['type'], message: string): RequirementVerdict {
  return { type, allowed: false, reasonCode: 'policy/unsupported-requirement', message, signatures: [] };
}
