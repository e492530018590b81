/** Each type of requirement, judged by itself. */
import type { Requirement } from '../../formats/policy-json/policy.ts';
import { describeImage } from '../scope.ts';
import type { RequirementVerdict } from '../verdict.ts';
import { unsupported } from './candidates.ts';
import type { RequirementQuestion } from './question.ts';
import { judgeSigstoreSigned } from './sigstore-signed.ts';

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
      // Nobody has ever implemented it, and upstream's words say so.
      return unsupported(type, 'signedBaseLayer not implemented yet!', 'trust/rejected');
    case 'signedBy':
      // OpenPGP takes as long to load as everything else together, and few policies want it.
      return (await import('./signed-by.ts')).judgeSignedBy(requirement, question);
    default:
      return unsupported(type, `requirement ${String(type)} is not supported, so nothing can satisfy it`);
  }
}
