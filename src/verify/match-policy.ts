/** Job `policy match`: what policy.json and registries.d say about a name. Nothing is asked of the network. */
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Policy } from '../formats/policy-json/policy.ts';
import type { DockerReference } from '../formats/reference/docker-reference.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { RegistriesConfig } from '../formats/registries-d/config.ts';
import {
  lookasideBase,
  lookasideStagingBase,
  useSigstoreAttachments,
} from '../formats/registries-d/lookup.ts';
import { defaultLookaside } from '../stores/lookaside/location.ts';
import { loadPolicy, searchPolicyFile, type FoundPolicyFile } from '../stores/trust-files/policy-file.ts';
import { loadRegistriesConfig } from '../stores/trust-files/registries-d.ts';
import { describeRequirement, type DescribedRequirement } from '../trust/requirements/describe.ts';
import { findRequirements } from '../trust/scope.ts';
import { nearMisses, walkScopes, type NearMiss, type WalkStep } from '../trust/scope-walk.ts';
import type { PolicyScope } from '../trust/verdict.ts';

export interface MatchRequest {
  readonly image: ImageName;
  readonly policyFile?: string;
  readonly registriesDirectory?: string;
}

export interface RegistriesSetting {
  readonly setting: 'use-sigstore-attachments' | 'lookaside' | 'lookaside-staging';
  readonly value: string;
  /** Key, section and file; undefined for what is built in. */
  readonly from?: { readonly key: string; readonly section: string; readonly file: string };
}

export interface MatchResult {
  readonly image: string;
  readonly search: FoundPolicyFile;
  readonly scope: PolicyScope;
  readonly walk: readonly WalkStep[];
  /** All must pass. */
  readonly requirements: readonly DescribedRequirement[];
  readonly nearMisses: readonly NearMiss[];
  /** Only docker:// has any. */
  readonly registries: readonly RegistriesSetting[];
}

/** Throws what reading policy.json and registries.d throws; exit 3. */
export async function matchPolicy(
  request: MatchRequest,
  env: NodeJS.ProcessEnv = process.env,
): Promise<MatchResult> {
  const { image, policyFile, registriesDirectory: directory } = request;
  const search = await searchPolicyFile({ env, ...(policyFile !== undefined && { file: policyFile }) });
  const { policy } = await loadPolicy({ env, file: search.file });
  const matched = matchLoaded(policy, await locate(image, env), await pathOf(image));
  const registries =
    image.transport === 'docker'
      ? settingsOf(
          await loadRegistriesConfig({ env, ...(directory !== undefined && { directory }) }),
          image.reference,
          env,
        )
      : [];
  return { image: formatImageName(image), search, ...matched, registries };
}

/** Scopes of podman's store speak of where it lies, and of image IDs. */
async function locate(image: ImageName, env: NodeJS.ProcessEnv): Promise<ImageName> {
  if (image.transport !== 'containers-storage') return image;
  return (await import('../stores/containers-storage/source.ts')).locateStorageName(image, env);
}

function matchLoaded(
  policy: Policy,
  image: ImageName,
  path: string | undefined,
): Pick<MatchResult, 'scope' | 'walk' | 'requirements' | 'nearMisses'> {
  const { requirements, scope } = findRequirements(policy, image, path);
  const walk = walkScopes(policy, image, path);
  const reference = image.transport === 'docker' ? image.reference : undefined;
  return {
    scope,
    walk,
    requirements: requirements.map((requirement) => describeRequirement(requirement, reference)),
    nearMisses: nearMisses(policy, image, walk),
  };
}

/** An image that is not there yet is asked about under the name that it will have. */
async function pathOf(image: ImageName): Promise<string | undefined> {
  if (image.transport !== 'dir' && image.transport !== 'oci' && image.transport !== 'oci-archive')
    return undefined;
  const path = resolve(image.path);
  return realpath(path).catch(() => path);
}

/** `reference` is the physical one; mirrors have settings of their own. */
export function settingsOf(
  config: RegistriesConfig,
  reference: DockerReference,
  env: NodeJS.ProcessEnv,
): readonly RegistriesSetting[] {
  const attachments = useSigstoreAttachments(config, reference);
  const read = lookasideBase(config, reference);
  const staging = lookasideStagingBase(config, reference);
  const builtIn = defaultLookaside(env);
  return [
    {
      setting: 'use-sigstore-attachments',
      value: String(attachments.value),
      ...(attachments.from && { from: attachments.from }),
    },
    { setting: 'lookaside', value: read?.value ?? builtIn, ...(read?.from && { from: read.from }) },
    {
      setting: 'lookaside-staging',
      value: staging?.value ?? builtIn,
      ...(staging?.from && { from: staging.from }),
    },
  ];
}
