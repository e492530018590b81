/** The search for the scope that speaks for an image, told step by step. */
import type { Policy } from '../formats/policy-json/policy.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import { imageScopes } from './scope.ts';

export interface WalkStep {
  /** Empty for the default of the whole policy. */
  readonly transport: string;
  readonly scope: string;
  /** `applies` once; before it there is no entry, after it entries are not looked at. */
  readonly state: 'no entry' | 'applies' | 'passed over' | 'not reached';
}

/** Every key in the order of the search, the transport's `""` and the default last. */
export function walkScopes(policy: Policy, image: ImageName, resolvedPath?: string): readonly WalkStep[] {
  const { transport } = image;
  const scopes = policy.transports.get(transport);
  const steps: WalkStep[] = [];
  let found = false;
  for (const scope of [...imageScopes(image, resolvedPath), '']) {
    const isThere = scopes?.has(scope) === true;
    const state = found ? (isThere ? 'passed over' : 'not reached') : isThere ? 'applies' : 'no entry';
    if (isThere) found = true;
    steps.push({ transport, scope, state });
  }
  steps.push({ transport: '', scope: '', state: found ? 'passed over' : 'applies' });
  return steps;
}

export interface NearMiss {
  readonly scope: string;
  readonly why: string;
}

/** Entries that somebody may have thought to be about this image. */
export function nearMisses(policy: Policy, image: ImageName, walk: readonly WalkStep[]): readonly NearMiss[] {
  if (image.transport !== 'docker') return [];
  const keys = new Set(walk.map(({ scope }) => scope));
  const { domain } = image.reference;
  const host = domain.replace(/:[0-9]+$/, '');
  const misses: NearMiss[] = [];
  for (const scope of policy.transports.get('docker')?.keys() ?? []) {
    if (keys.has(scope) || scope === '') continue;
    const [own] = scope.split('/', 1);
    const moved = domain + scope.slice(own.length);
    if (own !== domain && own.replace(/:[0-9]+$/, '') === host && keys.has(moved)) {
      misses.push({ scope, why: `is about ${own}, which is another host than ${domain}` });
    } else if (
      [...keys].some((key) => key !== '' && key.toLowerCase() === scope.toLowerCase().replace(/\/+$/, ''))
    ) {
      misses.push({ scope, why: 'differs in case or ends with a slash' });
    } else if ([...keys].some((key) => isClose(key, scope))) {
      misses.push({ scope, why: 'differs in a letter' });
    }
  }
  return misses;
}

/** A letter or two in a long name. */
function isClose(key: string, scope: string): boolean {
  return Math.abs(key.length - scope.length) <= 1 && key.length >= 8 && differing(key, scope) <= 2;
}

function differing(left: string, right: string): number {
  let start = 0;
  while (start < left.length && left[start] === right[start]) start += 1;
  let end = 0;
  const most = Math.min(left.length, right.length) - start;
  while (end < most && left[left.length - 1 - end] === right[right.length - 1 - end]) end += 1;
  return Math.max(left.length, right.length) - start - end;
}
