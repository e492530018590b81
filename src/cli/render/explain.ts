/** An explanation as label and value lines: the files, then for each manifest each requirement with each signature. */
import { escapeText } from '../../bytes/printable.ts';
import { formatPlatform } from '../../formats/oci/platform.ts';
import { formatReference } from '../../formats/reference/docker-reference.ts';
import type { StepDetail } from '../../steps.ts';
import type { DescribedRequirement } from '../../trust/requirements/describe.ts';
import type { BundleVerdict, LookedIn, RequirementVerdict, SignatureVerdict } from '../../trust/verdict.ts';
import type { Explanation } from '../../verify/explain.ts';
import type { JudgedManifest } from '../../verify/judge.ts';
import { searchFacts, settingFacts, walkFacts } from './match.ts';

export function explainFacts({ match, result, mirror }: Explanation): readonly StepDetail[] {
  return [
    ...searchFacts(match.search),
    ...walkFacts(match.walk),
    ...match.nearMisses.map(({ scope, why }) => ({
      label: 'not used',
      value: `${JSON.stringify(scope)} ${why}`,
    })),
    ...result.judged.flatMap((judged) => manifestFacts(judged, match.requirements)),
    ...(mirror === undefined ? settingFacts(match.registries) : mirrorFacts(mirror)),
  ];
}

function mirrorFacts({ reference, registries }: NonNullable<Explanation['mirror']>): readonly StepDetail[] {
  const name = formatReference(reference);
  const value = `${name}\nregistries.d is asked about this name, policy.json about the one that was typed`;
  return [{ label: 'mirror', value }, ...settingFacts(registries)];
}

function manifestFacts(
  { role, platform, manifest, verdict, lookedIn }: JudgedManifest,
  described: readonly DescribedRequirement[],
): readonly StepDetail[] {
  const which =
    role === 'image'
      ? ''
      : platform === undefined
        ? `  (${role})`
        : `  (${role} ${formatPlatform(platform)})`;
  const outcome = verdict.allowed ? (verdict.verified ? 'accepted' : 'accepted, unverified') : 'refused';
  const aside = role === 'index' ? ', which does not decide' : '';
  return [
    { label: 'digest', value: `${manifest.digest}${which}: ${outcome}${aside}` },
    ...verdict.requirements.flatMap((requirement, at) => requirementFacts(requirement, described[at], at)),
    ...(verdict.bundles ?? []).map(bundleFact),
    ...lookedIn.map((place) => lookedInFact(place)),
  ];
}

function requirementFacts(
  { type, wants, allowed, message, reasonCode, signatures }: RequirementVerdict,
  described: DescribedRequirement | undefined,
  at: number,
): readonly StepDetail[] {
  // A bundle that does for signatures leaves a requirement that takes anything in the place of the policy's own.
  if (type === 'insecureAcceptAnything' && described !== undefined && described.type !== type) {
    const asked = described.wants === undefined ? described.type : `${described.type}, ${described.wants}`;
    return [{ label: at === 0 ? 'required' : 'and', value: `${escapeText(asked)}: a bundle does for it` }];
  }
  const name = wants === undefined ? type : `${type}, ${wants}`;
  const lines = [`${escapeText(name)}: ${allowed ? 'passes' : 'fails'}`];
  if (described?.identity !== undefined) {
    lines.push(`expects   ${escapeText(described.identity)}  (${described.identityRule ?? ''})`);
  }
  for (const [number, signature] of signatures.entries())
    lines.push(...signatureLines(signature, number + 1));
  if (signatures.length === 0 && message !== undefined) {
    lines.push(`${escapeText(message)}  ${escapeText(reasonCode ?? '')}`);
  }
  return [{ label: at === 0 ? 'required' : 'and', value: lines.join('\n') }];
}

/** Identities come from whoever made the signature: escaped before lines are made of them. */
function signatureLines(signature: SignatureVerdict, number: number): string[] {
  const { accepted, code, message = '', identity, keyFingerprint, keySource, loggedAt } = signature;
  const outcome = accepted ? 'good' : `${escapeText(message)}  ${escapeText(code ?? '')}`;
  const lines = [`signature ${number}  ${outcome}`];
  if (identity !== undefined) {
    lines.push(`            signed as ${escapeText(identity)}${accepted ? '' : '  (as the signature says)'}`);
  }
  if (keyFingerprint !== undefined) {
    lines.push(
      `            key ${escapeText(keyFingerprint)}${keySource === undefined ? '' : `  ${escapeText(keySource)}`}`,
    );
  }
  if (loggedAt !== undefined) lines.push(`            logged at ${escapeText(loggedAt)}`);
  return lines;
}

/** What bundles.json asked for. */
function bundleFact({ use, wants, allowed, message, reasonCode, signatures }: BundleVerdict): StepDetail {
  const name = `${use === 'require' ? 'required' : 'would do'}: ${wants}`;
  const lines = [`${escapeText(name)}: ${allowed ? 'there' : 'not there'}`];
  for (const [number, signature] of signatures.entries())
    lines.push(...signatureLines(signature, number + 1));
  if (signatures.length === 0 && message !== undefined) {
    lines.push(`${escapeText(message)}  ${escapeText(reasonCode ?? '')}`);
  }
  return { label: 'bundle', value: lines.join('\n') };
}

function lookedInFact({ place, result, setting }: LookedIn): StepDetail {
  const from = setting === undefined ? '' : `  (${setting})`;
  return { label: 'looked in', value: escapeText(`${place}  ${result}${from}`) };
}
