/** Options and rendering that the commands `host …` share. */
import { formatImageName } from '../formats/reference/image-name.ts';
import type { ChangePorts, ChangeRequest, ChangeResult } from '../host/change.ts';
import type { Deployment } from '../host/state.ts';
import type { StepDetail } from '../steps.ts';
import { text, type Outcome } from './command.ts';
import type { CliContext } from './context.ts';
import { transportOptions, type TransportFlags } from './transport-flags.ts';

export interface HostFlags extends TransportFlags {
  readonly root: string;
  readonly policy?: string;
  readonly 'registries.d'?: string;
}

export const root = {
  kind: 'parsed',
  parse: text,
  placeholder: 'DIR',
  brief: 'folder of the deployed images and their state',
} as const;

export const policy = {
  kind: 'parsed',
  parse: text,
  optional: true,
  placeholder: 'FILE',
  brief: 'policy.json to use instead of the system’s',
} as const;

export const registriesDirectory = {
  kind: 'parsed',
  parse: text,
  optional: true,
  placeholder: 'DIR',
  brief: 'registries.d to use instead of the system’s',
} as const;

export function changeRequest(flags: HostFlags): ChangeRequest {
  return {
    root: flags.root,
    ...(flags.policy !== undefined && { policyFile: flags.policy }),
    ...(flags['registries.d'] !== undefined && { registriesDirectory: flags['registries.d'] }),
  };
}

export async function changePorts(flags: HostFlags, context: CliContext): Promise<ChangePorts> {
  return {
    transport: transportOptions(flags, context),
    env: context.env,
    signal: context.signal,
    progress: await context.progress(),
  };
}

const WORDS = {
  changed: 'deployed',
  unchanged: 'no change',
  available: 'upgrade available',
  refused: 'refused',
};

export function changeOutcome(result: ChangeResult): Outcome {
  const { change, digest, image, verified, message, reasonCode, state } = result;
  const facts: StepDetail[] = [];
  // "signed" is said only of what a verifying rule accepted.
  if (change !== 'refused') facts.push({ label: 'status', value: verified ? 'signed' : 'unverified' });
  if (state) facts.push({ label: 'runs', value: describe(state.current) });
  if (state?.previous) facts.push({ label: 'before', value: describe(state.previous) });
  if (change === 'refused') facts.push({ label: 'changed', value: 'nothing' });
  return {
    ok: change !== 'refused',
    verdict: {
      word: WORDS[change],
      subject: `${formatImageName(image)}  ${digest}`,
      facts,
      ...(message !== undefined && { reason: message }),
    },
    steps: result.steps,
    json: {
      change,
      image: formatImageName(image),
      digest,
      verified,
      ...(message !== undefined && { message }),
      ...(reasonCode !== undefined && { code: reasonCode }),
      current: state && deploymentJson(state.current),
      previous: state?.previous && deploymentJson(state.previous),
    },
  };
}

export function deploymentJson(deployment: Deployment): object {
  return { ...deployment, image: formatImageName(deployment.image) };
}

export function describe({ image, digest, verified, signedBy }: Deployment): string {
  const status = verified ? `signed by ${signedBy ?? 'a key of the policy'}` : 'unverified';
  return `${formatImageName(image)}  ${digest}  ${status}`;
}
