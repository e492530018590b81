/** `sigstoreSigned`: one of the sigstore signatures must verify, speak of this manifest and name this image. */
import { BootsealError } from '../../errors.ts';
import { dockerReferenceOf } from '../../formats/reference/image-name.ts';
import type { RawSignature, SigstoreSignature } from '../../formats/cosign/signature.ts';
import { MEDIA_TYPES } from '../../formats/oci/media-types.ts';
import type { SigstoreSigned } from '../../formats/policy-json/policy.ts';
import { judgeSigstoreSignature } from '../signatures/sigstore.ts';
import { openTrustRoot } from '../signatures/trust-root.ts';
import type { RequirementVerdict } from '../verdict.ts';
import { judgeCandidates } from './candidates.ts';
import { describeTrust } from './describe.ts';
import type { RequirementQuestion } from './question.ts';

export async function judgeSigstoreSigned(
  requirement: SigstoreSigned,
  question: RequirementQuestion,
): Promise<RequirementVerdict> {
  const { type } = requirement;
  return judgeCandidates(
    {
      type,
      wants: describeTrust(requirement),
      isCandidate,
      noSignature,
      openKeys: async () => {
        refuseEmptyRekor(requirement);
        const trust = await openTrustRoot(requirement, question.keys);
        const now = question.clock.now();
        return (candidate) =>
          judgeSigstoreSignature(candidate, {
            trust,
            now,
            identityRule: requirement.signedIdentity,
            image: dockerReferenceOf(question.image),
            manifestDigest: question.manifestDigest,
          });
      },
    },
    question,
  );
}

/** Whoever wrote the member wanted a log entry; upstream then asks for none. */
function refuseEmptyRekor({ rekor }: SigstoreSigned): void {
  if (rekor?.isEmpty !== true) return;
  throw new BootsealError(
    'policy/rekor-empty',
    `${rekor.source.member} is empty, so no log would be asked: name its key, or leave the member out`,
  );
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
