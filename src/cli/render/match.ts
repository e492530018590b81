/** The scope walk and the settings for one name, as label and value lines. */
import type { DescribedRequirement } from '../../trust/requirements/describe.ts';
import type { WalkStep } from '../../trust/scope-walk.ts';
import type { StepDetail } from '../../steps.ts';
import type { MatchResult } from '../../verify/match-policy.ts';

export function matchFacts(result: MatchResult): readonly StepDetail[] {
  return [
    ...searchFacts(result.search),
    ...walkFacts(result.walk),
    ...result.nearMisses.map(({ scope, why }) => ({
      label: 'not used',
      value: `${JSON.stringify(scope)} ${why}`,
    })),
    ...requirementFacts(result.requirements),
    ...settingFacts(result.registries),
  ];
}

export function searchFacts({
  file,
  because,
  missing,
  passedOver,
}: MatchResult['search']): readonly StepDetail[] {
  const lines = [
    `${file}  (${because})`,
    ...missing.map((place) => `${place}  not there`),
    // A file named by hand is no choice between places.
    ...(because === '--policy' ? [] : passedOver.map((place) => `${place}  not looked at`)),
  ];
  return [{ label: 'policy', value: lines.join('\n') }];
}

/** Keys with control characters are escaped here, since a line of its own is what each of them gets. */
export function walkFacts(walk: readonly WalkStep[]): readonly StepDetail[] {
  const names = walk.map(nameOf);
  const width = Math.max(...names.map((name) => name.length));
  const lines = walk.flatMap(({ state }, at) =>
    state === 'not reached' ? [] : [`${names[at].padEnd(width)}  ${STATES[state]}`],
  );
  return [{ label: 'looked up', value: lines.join('\n') }];
}

const STATES: Readonly<Record<WalkStep['state'], string>> = {
  'no entry': 'no entry',
  applies: 'applies',
  'passed over': 'has an entry, passed over: nothing is inherited',
  'not reached': '',
};

function nameOf({ transport, scope }: WalkStep): string {
  return transport === '' ? 'default' : `${transport} ${JSON.stringify(scope)}`;
}

export function requirementFacts(requirements: readonly DescribedRequirement[]): readonly StepDetail[] {
  return requirements.flatMap(({ type, wants, identityRule, identity }, at) => {
    const label = at === 0 ? 'requires' : 'and';
    const facts: StepDetail[] = [{ label, value: wants === undefined ? type : `${type}, ${wants}` }];
    if (identity !== undefined)
      facts.push({ label: 'signed as', value: `${identity}  (${identityRule ?? ''})` });
    return facts;
  });
}

export function settingFacts(settings: MatchResult['registries']): readonly StepDetail[] {
  return settings.map(({ setting, value, from }) => {
    const where = from === undefined ? 'built in' : `${from.key} of ${from.section} in ${from.file}`;
    return { label: LABELS[setting], value: `${value}  (${where})` };
  });
}

const LABELS: Readonly<Record<MatchResult['registries'][number]['setting'], string>> = {
  'use-sigstore-attachments': 'attachments',
  lookaside: 'lookaside',
  'lookaside-staging': 'staging',
};
