/** `signedBy`: one of the simple signatures must be by a key of the keyring, speak of this manifest and name this image. */
import { dockerReferenceOf } from '../../formats/reference/image-name.ts';
import type { RawSignature } from '../../formats/cosign/signature.ts';
import type { SignedBy } from '../../formats/policy-json/policy.ts';
import { BootsealError } from '../../errors.ts';
import { goQuote } from '../../formats/strict-json/go-quote.ts';
import { loadKeyring } from '../signatures/openpgp-keys.ts';
import { judgeSimpleSignature } from '../signatures/simple.ts';
import type { RequirementVerdict } from '../verdict.ts';
import { judgeCandidates } from './candidates.ts';
import { describeKeys } from './describe.ts';
import type { RequirementQuestion } from './question.ts';

type SimpleSignature = RawSignature & { readonly kind: 'simple-signing' };

export async function judgeSignedBy(
  requirement: SignedBy,
  question: RequirementQuestion,
): Promise<RequirementVerdict> {
  const { type, keyType, keys, signedIdentity } = requirement;
  return judgeCandidates(
    {
      type,
      wants: describeKeys(keys),
      isCandidate,
      noSignature: () => 'A signature was required, but no signature exists',
      openKeys: async () => {
        if (keyType !== 'GPGKeys') {
          throw new BootsealError(
            'policy/unsupported-requirement',
            `Unimplemented "keyType" value ${goQuote(keyType)}`,
          );
        }
        const keyring = await loadKeyring(keys, question.keys);
        const now = question.clock.now() / 1000;
        return ({ bytes }) =>
          judgeSimpleSignature(bytes, {
            keyring,
            now,
            identityRule: signedIdentity,
            image: dockerReferenceOf(question.image),
            manifestDigest: question.manifestDigest,
          });
      },
    },
    question,
  );
}

function isCandidate(signature: RawSignature): signature is SimpleSignature {
  return signature.kind === 'simple-signing';
}
