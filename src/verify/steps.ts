/** What verify found, as steps. */
import { formatPlatform } from '../formats/oci/platform.ts';
import type { Step } from '../steps.ts';
import { hintOf, summaryOf, verdictDetails, type Explained } from '../trust/explain.ts';
import type { JudgedManifest } from './judge.ts';

/** The step `signature`, and for an index that would itself be refused a second one, `index`. */
export function verifySteps(decisive: JudgedManifest, judged: readonly JudgedManifest[]): readonly Step[] {
  const { verdict } = decisive;
  const explained = explainedOf(decisive);
  const hint = hintOf(explained);
  const steps: Step[] = [
    {
      id: 'signature',
      title: 'signature',
      state: verdict.allowed ? (verdict.verified ? 'passed' : 'warning') : 'failed',
      summary: summaryOf(verdict),
      details: verdictDetails(explained),
      ...(verdict.reasonCode !== undefined && { code: verdict.reasonCode }),
      ...(verdict.allowed && !verdict.verified && { code: 'trust/unverified' as const }),
      ...(hint !== undefined && { hint }),
    },
  ];
  const index = judged.find(({ role }) => role === 'index');
  if (index !== undefined && verdict.allowed && !index.verdict.allowed) {
    steps.push({
      id: 'index',
      title: 'index',
      state: 'warning',
      summary: `the index itself would be refused: ${index.verdict.message ?? ''}`,
      code: 'trust/index-not-signed',
      hint: 'bootc with skopeo 1.22 or older judges the index only; sign both: bootseal sign --all',
    });
  }
  return steps;
}

function explainedOf({ verdict, lookedIn, platform }: JudgedManifest): Explained {
  return { verdict, lookedIn, ...(platform && { platform: formatPlatform(platform) }) };
}
