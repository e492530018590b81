/** A verdict as lines for people: what was judged, by which policy, what was asked for, where was looked. */
import type { Step, StepDetail } from '../steps.ts';
import type { PolicyScope, PolicyVerdict } from '../trust/verdict.ts';
import { formatPlatform } from '../formats/oci/platform.ts';
import type { JudgedManifest } from './judge.ts';

/** The step `signature`, and for an index whose own verdict differs a second one, `index`. */
export function verifySteps(decisive: JudgedManifest, judged: readonly JudgedManifest[]): readonly Step[] {
  const { verdict } = decisive;
  const steps: Step[] = [
    {
      id: 'signature',
      title: 'signature',
      state: verdict.allowed ? (verdict.verified ? 'passed' : 'warning') : 'failed',
      summary: summaryOf(verdict),
      details: verdictDetails(decisive),
      ...(verdict.reasonCode !== undefined && { code: verdict.reasonCode }),
      ...(verdict.allowed && !verdict.verified && { code: 'trust/unverified' as const }),
      ...hintOf(decisive),
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

function summaryOf(verdict: PolicyVerdict): string {
  if (!verdict.allowed) return verdict.message ?? 'refused';
  const { signedBy } = verdict;
  if (signedBy === undefined) return 'unverified: the policy accepts anything for this name';
  return `sigstore key ${signedBy.keyFingerprint}`;
}

export function verdictDetails(judged: JudgedManifest): readonly StepDetail[] {
  const { verdict, lookedIn, platform } = judged;
  const { signedBy } = verdict;
  const details: StepDetail[] = [{ label: 'digest', value: verdict.pinnedDigest }];
  if (platform !== undefined) details.push({ label: 'platform', value: formatPlatform(platform) });
  details.push({ label: 'policy', value: `${verdict.policyFile}  ${describeScope(verdict.scope)}` });
  if (signedBy !== undefined) {
    details.push({
      label: 'signed by',
      value: `sigstore key ${signedBy.keyFingerprint}  ${signedBy.keySource}`,
    });
    details.push({ label: 'identity', value: `${signedBy.identity}  (${signedBy.identityRule})` });
  }
  if (verdict.allowed) return details;
  const failed = verdict.requirements.at(-1);
  if (failed?.wants !== undefined)
    details.push({ label: 'required', value: `${failed.type}, ${failed.wants}` });
  // Anyone who may push can add signatures: a few say enough.
  for (const { accepted, message, keyFingerprint } of failed?.signatures.slice(0, MAX_SHOWN) ?? []) {
    if (!accepted)
      details.push({
        label: 'signature',
        value: `${message ?? ''}${keyFingerprint ? `  (key ${keyFingerprint})` : ''}`,
      });
  }
  for (const { place, result } of lookedIn)
    details.push({ label: 'looked in', value: `${place}  ${result}` });
  return details;
}

const MAX_SHOWN = 10;

/** `scope "quay.io/acme"  (docker)`, `everything of dir:`, `default of the policy`. */
export function describeScope({ transport, scope }: PolicyScope): string {
  if (transport === '') return 'default of the policy';
  return scope === '' ? `everything of ${transport}` : `scope ${JSON.stringify(scope)}  (${transport})`;
}

function hintOf({ verdict, lookedIn }: JudgedManifest): { readonly hint?: string } {
  if (verdict.allowed && !verdict.verified) {
    return {
      hint: 'to insist on a signature, add a sigstoreSigned requirement, or verify with --require-signed',
    };
  }
  switch (verdict.reasonCode) {
    case 'trust/no-signature': {
      const off = lookedIn.some(({ result }) => result.startsWith('not read'));
      return {
        hint: off
          ? 'registries.d does not say use-sigstore-attachments: true for this repository'
          : 'sign it: bootseal sign --sign-by-sigstore-private-key KEY IMAGE',
      };
    }
    case 'trust/identity-mismatch':
      return {
        hint: 'the signature is good but names another image; cosign signs the repository only, which matchRepository accepts',
      };
    case 'trust/bad-signature':
      return {
        hint: 'signed with another key, or changed since: compare the key of the policy with the signer’s',
      };
    case 'trust/rejected':
      return { hint: 'the policy rejects this name; see its scopes' };
    case undefined:
    default:
      return {};
  }
}
