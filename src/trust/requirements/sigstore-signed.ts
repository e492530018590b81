/** `sigstoreSigned`: one of the sigstore signatures must verify, speak of this manifest and name this image. */
import type { RawSignature, SigstoreSignature } from '../../formats/cosign/signature.ts';
import { MEDIA_TYPES } from '../../formats/oci/media-types.ts';
import type { SigstoreSigned } from '../../formats/policy-json/policy.ts';
import { loadKeys } from '../signatures/sigstore-keys.ts';
import { judgeSigstoreSignature } from '../signatures/sigstore.ts';
import type { RequirementVerdict } from '../verdict.ts';
import { describeKeys, judgeCandidates, unsupported } from './candidates.ts';
import type { RequirementQuestion } from './question.ts';

export async function judgeSigstoreSigned(
  requirement: SigstoreSigned,
  question: RequirementQuestion,
): Promise<RequirementVerdict> {
  const { type, trust, rekor } = requirement;
  if (trust.kind !== 'keys')
    return unsupported(type, `sigstoreSigned with ${trust.kind} is not supported yet`);
  // Also where the member is empty: whoever wrote it meant something, and upstream then asks for nothing.
  if (rekor !== undefined)
    return unsupported(type, `sigstoreSigned with ${rekor.source.member} is not supported yet`);
  return judgeCandidates(
    {
      type,
      wants: describeKeys(trust.keys),
      isCandidate,
      noSignature,
      openKeys: async () => {
        const keys = await loadKeys(trust.keys, question.keys);
        return (candidate) =>
          judgeSigstoreSignature(candidate, {
            keys,
            identityRule: requirement.signedIdentity,
            image: question.image.transport === 'docker' ? question.image.reference : undefined,
            manifestDigest: question.manifestDigest,
          });
      },
    },
    question,
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
