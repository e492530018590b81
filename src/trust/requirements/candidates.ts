/** What `signedBy` and `sigstoreSigned` share: which signatures are looked at, in what order, and the sum of it. */
import { isBootsealError, type ErrorCode } from '../../errors.ts';
import { MAX_SIGNATURES } from '../../formats/cosign/attachment.ts';
import type { RawSignature } from '../../formats/cosign/signature.ts';
import type { RequirementType } from '../../formats/policy-json/policy.ts';
import type { RequirementVerdict, SignatureVerdict } from '../verdict.ts';
import type { RequirementQuestion } from './question.ts';

export interface CandidateRule<S extends RawSignature> {
  readonly type: RequirementType;
  /** What the policy asks for, for people. */
  readonly wants: string;
  /** The signatures that this requirement looks at; others do neither good nor harm. */
  readonly isCandidate: (signature: RawSignature) => signature is S;
  /** The message when there is none of them. */
  readonly noSignature: (all: readonly RawSignature[]) => string;
  /**
   * Opens the keys, and judges each candidate with them. Called only when there is a candidate. A BootsealError that
   * opening throws refuses every candidate with its message.
   */
  readonly openKeys: () => Promise<(candidate: S) => SignatureVerdict | Promise<SignatureVerdict>>;
}

/** Satisfied by any one signature: a bad one beside it does no harm. */
export async function judgeCandidates<S extends RawSignature>(
  rule: CandidateRule<S>,
  { signatures, exhaustive = false }: Pick<RequirementQuestion, 'signatures' | 'exhaustive'>,
): Promise<RequirementVerdict> {
  const { type, wants } = rule;
  const refuse = (reasonCode: ErrorCode, message: string): RequirementVerdict => ({
    type,
    allowed: false,
    reasonCode,
    message,
    wants,
    signatures: [],
  });

  let all: readonly RawSignature[];
  try {
    all = await signatures();
  } catch (error) {
    // A signature that is there and malformed is a no. Not having reached the store is no verdict at all.
    if (!isBootsealError(error) || !MALFORMED.test(error.code)) throw error;
    return refuse('trust/malformed-signature', error.message);
  }
  const candidates = all.filter(rule.isCandidate);
  if (candidates.length === 0) return refuse('trust/no-signature', rule.noSignature(all));
  if (candidates.length > MAX_SIGNATURES) {
    const message = `${candidates.length} signatures exceed the limit of ${MAX_SIGNATURES}`;
    return refuse('trust/too-many-signatures', message);
  }
  let judge: (candidate: S) => SignatureVerdict | Promise<SignatureVerdict>;
  try {
    judge = await rule.openKeys();
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const { code: cause, message } = error;
    const code = /^(?:trust|policy)\//.test(cause) ? cause : 'trust/key-unreadable';
    const refused: SignatureVerdict = { accepted: false, code, message };
    return summarise(
      type,
      wants,
      candidates.map(() => refused),
    );
  }
  const verdicts: SignatureVerdict[] = [];
  for (const candidate of candidates) {
    const verdict = await judge(candidate);
    verdicts.push(verdict);
    if (verdict.accepted && !exhaustive) break;
  }
  return summarise(type, wants, verdicts);
}

/** What a store that was reached holds, or cannot hold. */
const MALFORMED = /^(?:cosign\/|lookaside\/(?:too-|bad-|unsupported-))/;

function summarise(
  type: RequirementType,
  wants: string,
  signatures: readonly SignatureVerdict[],
): RequirementVerdict {
  if (signatures.some(({ accepted }) => accepted)) return { type, allowed: true, wants, signatures };
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

/** Nothing can satisfy a requirement that is not understood in full. */
export function unsupported(
  type: RequirementType,
  message: string,
  reasonCode: ErrorCode = 'policy/unsupported-requirement',
): RequirementVerdict {
  return { type, allowed: false, reasonCode, message, signatures: [] };
}
