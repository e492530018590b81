/** `sigstoreSigned`: one of the sigstore signatures must verify, speak of this manifest and name this image. */
import type { RawSignature, SigstoreSignature } from '../../formats/cosign/signature.ts';
import { MEDIA_TYPES } from '../../formats/oci/media-types.ts';
import type { Certificates, SigstoreSigned } from '../../formats/policy-json/policy.ts';
import { judgeSigstoreSignature } from '../signatures/sigstore.ts';
import { openTrustRoot } from '../signatures/trust-root.ts';
import type { RequirementVerdict } from '../verdict.ts';
import { describeKeys, judgeCandidates, unsupported } from './candidates.ts';
import type { RequirementQuestion } from './question.ts';

export async function judgeSigstoreSigned(
  requirement: SigstoreSigned,
  question: RequirementQuestion,
): Promise<RequirementVerdict> {
  const { type, rekor } = requirement;
  // Whoever wrote the member meant something, and upstream then asks for nothing.
  if (rekor?.isEmpty === true) {
    const message = `${rekor.source.member} is empty, so no log would be asked: name its key, or leave the member out`;
    return unsupported(type, message, 'policy/empty-rekor-key');
  }
  return judgeCandidates(
    {
      type,
      wants: describeTrust(requirement),
      isCandidate,
      noSignature,
      openKeys: async () => {
        const trust = await openTrustRoot(requirement, question.keys);
        const now = question.clock.now();
        return (candidate) =>
          judgeSigstoreSignature(candidate, {
            trust,
            now,
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

function describeTrust({ trust, rekor }: SigstoreSigned): string {
  const log = rekor === undefined ? '' : `, logged by Rekor (${describeKeys(rekor.source)})`;
  switch (trust.kind) {
    case 'keys':
      return describeKeys(trust.keys) + log;
    case 'fulcio': {
      const { ca, oidcIssuer, subjectEmail } = trust.fulcio;
      return `Fulcio certificate (${describeCa(ca)}) of ${subjectEmail} by ${oidcIssuer}${log}`;
    }
    case 'pki':
    default: {
      const { roots, subjectEmail, subjectHostname } = trust.pki;
      const subject = [subjectEmail, subjectHostname].filter((each) => each !== undefined).join(' and ');
      return `certificate (${describeCa(roots)}) of ${subject}`;
    }
  }
}

function describeCa({ path }: Certificates): string {
  return path ?? 'roots in the policy';
}
