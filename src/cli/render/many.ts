/** Verdicts on many images: one step each. */
import { formatImageName } from '../../formats/reference/image-name.ts';
import { formatPlatform } from '../../formats/oci/platform.ts';
import type { Step } from '../../steps.ts';
import type { ManyResult } from '../../verify/verify-many.ts';

export function manySteps(results: readonly ManyResult[]): readonly Step[] {
  return results.map((each) => {
    const title = formatImageName(each.image).replace(/^docker:\/\//, '');
    if ('error' in each) {
      const { code, message, hint } = each.error;
      const summary = `could not decide: ${message}`;
      return { id: 'image', title, state: 'failed', summary, code, ...(hint !== undefined && { hint }) };
    }
    const { allowed, verified, message, pinnedDigest, reasonCode, steps, judged } = each.result;
    if (allowed) {
      const [{ details = [], code }] = steps;
      const state = verified ? 'passed' : 'warning';
      const summary = verified ? pinnedDigest : `${pinnedDigest}  accepted without a signature`;
      return { id: 'image', title, state, summary, details: verified ? details : [], ...(code && { code }) };
    }
    const [{ hint }] = steps;
    const decisive = judged.find(({ role, verdict }) => role === 'instance' && !verdict.allowed);
    const platform = decisive?.platform === undefined ? '' : `${formatPlatform(decisive.platform)}: `;
    return {
      id: 'image',
      title,
      state: 'failed',
      summary: platform + (message ?? 'refused'),
      ...(reasonCode !== undefined && { code: reasonCode }),
      ...(hint !== undefined && { hint }),
    };
  });
}

export interface ManyCounts {
  readonly accepted: number;
  /** Of those, the ones without a signature that was checked. */
  readonly unverified: number;
  readonly refused: number;
  readonly undecided: number;
}

export function countMany(results: readonly ManyResult[]): ManyCounts {
  const judged = results.flatMap((each) => ('result' in each ? [each.result] : []));
  const accepted = judged.filter(({ allowed }) => allowed);
  return {
    accepted: accepted.length,
    unverified: accepted.filter(({ verified }) => !verified).length,
    refused: judged.length - accepted.length,
    undecided: results.length - judged.length,
  };
}

/** `97 accepted (2 without a signature), 3 refused`. */
export function manySummary({ accepted, unverified, refused, undecided }: ManyCounts): string {
  const without = unverified === 0 ? '' : ` (${unverified} without a signature)`;
  const parts = [`${accepted} accepted${without}`];
  if (refused > 0) parts.push(`${refused} refused`);
  if (undecided > 0) parts.push(`${undecided} could not be judged`);
  return parts.join(', ');
}

export function manyJson(results: readonly ManyResult[]): readonly object[] {
  return results.map((each) => {
    const image = formatImageName(each.image);
    if ('error' in each) {
      const { code, message, hint } = each.error;
      return { image, error: { code, message, ...(hint !== undefined && { hint }) } };
    }
    const { allowed, verified, pinnedDigest, reasonCode, message, verdict } = each.result;
    return {
      image,
      allowed,
      verified,
      pinnedDigest,
      ...(reasonCode !== undefined && { reasonCode }),
      ...(message !== undefined && { message }),
      scope: verdict.scope,
      ...(verdict.signedBy && { signedBy: verdict.signedBy }),
    };
  });
}
