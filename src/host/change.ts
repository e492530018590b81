/**
 * Switching a host to an image, and upgrading it: what the name means now is judged by the policy and pulled by the
 * digest that was judged; only then does the host's state change. A refusal, a failure or a kill changes nothing.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BootsealError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { formatImageName, type ImageName } from '../formats/reference/image-name.ts';
import type { ProgressPort } from '../sign/copy-blobs.ts';
import { copyImage } from '../sign/copy.ts';
import type { ImageSource } from '../stores/image.ts';
import { cannotWrite } from '../stores/file-errors.ts';
import { withLock } from '../stores/file-lock.ts';
import { pruneLayout } from '../stores/oci-layout/prune.ts';
import { openSource, type TransportOptions } from '../stores/open.ts';
import type { Step } from '../steps.ts';
import { verifyImage, type VerifyResult } from '../verify/verify.ts';
import {
  deploymentName,
  imagesFolder,
  readState,
  writeState,
  type Deployment,
  type HostState,
} from './state.ts';

export interface ChangeRequest {
  /** Folder of the host's images and state. */
  readonly root: string;
  readonly policyFile?: string;
  readonly registriesDirectory?: string;
  /** Default: this machine's. */
  readonly platform?: Platform;
}

export interface SwitchRequest extends ChangeRequest {
  readonly image: ImageName;
  /** Only signed images from now on. It stays so: no later switch or upgrade undoes it. */
  readonly enforce?: boolean;
}

export interface UpgradeRequest extends ChangeRequest {
  /** Judge what would be pulled, and pull nothing. */
  readonly check?: boolean;
}

export interface ChangePorts {
  readonly transport?: TransportOptions;
  readonly progress?: ProgressPort;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** `available`: a check found another image that the policy accepts. */
export type Change = 'changed' | 'unchanged' | 'available' | 'refused';

export interface ChangeResult {
  readonly change: Change;
  /** The digest that was judged. */
  readonly digest: Digest;
  readonly image: ImageName;
  readonly verified: boolean;
  /** Present when refused: the reason, in the words that bootc prints. */
  readonly message?: string;
  readonly reasonCode?: ErrorCode;
  /** What the host runs now. */
  readonly state: HostState | undefined;
  readonly steps: readonly Step[];
}

/** Throws `host/…` and what stores and policy throw; a refusal by the policy is a result. */
export async function switchHost(request: SwitchRequest, ports: ChangePorts = {}): Promise<ChangeResult> {
  return locked(request.root, async () => {
    const state = await readState(request.root);
    // Signed once, signed for ever: a switch cannot quietly leave the enforcement behind.
    const enforced = request.enforce === true || isEnforced(state);
    return apply(request, request.image, enforced, state, 'Switching', false, ports);
  });
}

/** Follows the name that the host was switched to. Throws `host/nothing-deployed` and as {@link switchHost}. */
export async function upgradeHost(request: UpgradeRequest, ports: ChangePorts = {}): Promise<ChangeResult> {
  return locked(request.root, async () => {
    const state = await readState(request.root);
    if (state === undefined) throw nothingDeployed(request.root);
    const { image } = state.current;
    return apply(request, image, isEnforced(state), state, 'Upgrading', request.check === true, ports);
  });
}

/** Throws `host/nothing-deployed`. */
export async function hostStatus(root: string): Promise<HostState> {
  const state = await readState(root);
  if (state === undefined) throw nothingDeployed(root);
  return state;
}

/** A host whose image was verified stays with verified images, whether it was told to or not. */
function isEnforced(state: HostState | undefined): boolean {
  return state !== undefined && (state.enforced || state.current.verified);
}

async function apply(
  request: ChangeRequest,
  image: ImageName,
  enforced: boolean,
  state: HostState | undefined,
  verb: string,
  checkOnly: boolean,
  ports: ChangePorts,
): Promise<ChangeResult> {
  // 1. What the name means: asked once, here.
  const source = await openSource(image, ports.transport);
  try {
    // 2. The policy, over those bytes.
    const judged = await verifyImage(
      {
        image,
        requireSigned: enforced,
        ...(request.policyFile !== undefined && { policyFile: request.policyFile }),
        ...(request.registriesDirectory !== undefined && {
          registriesDirectory: request.registriesDirectory,
        }),
        ...(request.platform && { platform: request.platform }),
      },
      { source, ...(ports.env && { env: ports.env }) },
    );
    const { pinnedDigest: digest, verified, steps } = judged;
    const base = { digest, image, verified, steps, state };
    if (!judged.allowed) return refused(base, judged, verb);
    const next = deploymentOf(image, judged);
    const isSame = state?.current.digest === digest && sameDeployment(state.current, next);
    if (isSame && state.enforced === enforced) return { ...base, change: 'unchanged' };
    if (checkOnly) return { ...base, change: isSame ? 'unchanged' : 'available' };
    // 3. The bytes that were judged, by their digest.
    await pull(request, source, judged, ports);
    // 4. The change itself: one rename.
    const changed = nextState(state, next, enforced || verified);
    await writeState(request.root, changed);
    // 5. What neither of the two deployments needs. A kill before this leaves only more files.
    await prune(request.root, changed);
    return { ...base, state: changed, change: 'changed' };
  } finally {
    await source.close();
  }
}

type Base = Omit<ChangeResult, 'change'>;

function refused(base: Base, { verdict, reasonCode }: VerifyResult, verb: string): ChangeResult {
  return {
    ...base,
    change: 'refused',
    message: `${verb}: Pulling: ${verdict.message ?? 'Source image rejected'}`,
    ...(reasonCode !== undefined && { reasonCode }),
  };
}

function deploymentOf(image: ImageName, { pinnedDigest, verified, verdict }: VerifyResult): Deployment {
  const signedBy = verified ? verdict.signedBy?.keyFingerprint : undefined;
  return { image, digest: pinnedDigest, verified, ...(signedBy !== undefined && { signedBy }) };
}

function sameDeployment(a: Deployment, b: Deployment): boolean {
  const sameName = formatImageName(a.image) === formatImageName(b.image);
  return sameName && a.digest === b.digest && a.verified === b.verified && a.signedBy === b.signedBy;
}

/** The same image under another name or key is no new deployment: the one before stays what one can go back to. */
function nextState(state: HostState | undefined, next: Deployment, enforced: boolean): HostState {
  const previous = state?.current.digest === next.digest ? state.previous : state?.current;
  return { enforced, current: next, ...(previous && { previous }) };
}

async function pull(
  request: ChangeRequest,
  source: ImageSource,
  { pinnedDigest, images: [judged] }: VerifyResult,
  ports: ChangePorts,
): Promise<void> {
  const to: ImageName = {
    transport: 'oci',
    path: imagesFolder(request.root),
    image: deploymentName(pinnedDigest),
  };
  const pinned: ImageSource = { ...source, topManifest: () => Promise.resolve(judged) };
  const options = {
    source: pinned,
    ...(ports.progress && { progress: ports.progress }),
    ...(ports.signal && { signal: ports.signal }),
  };
  // The layout cannot hold signatures: the verdict over them is in the state.
  const copied = await copyImage({ from: source.name, to, removeSignatures: true }, options);
  if (copied.digest !== pinnedDigest) {
    throw new BootsealError('host/other-image', `pulled ${copied.digest}, but ${pinnedDigest} was judged`, {
      hint: 'the registry gives other bytes than it says; run it again, and ask who runs it',
      exit: 1,
    });
  }
}

async function prune(root: string, { current, previous }: HostState): Promise<void> {
  const kept = [current, ...(previous ? [previous] : [])].map(({ digest }) => deploymentName(digest));
  await pruneLayout(imagesFolder(root), kept);
}

async function locked<T>(root: string, work: () => Promise<T>): Promise<T> {
  try {
    await mkdir(root, { recursive: true });
  } catch (cause) {
    throw cannotWrite(root, cause);
  }
  return withLock(join(root, '.lock'), work);
}

function nothingDeployed(root: string): BootsealError {
  return new BootsealError('host/nothing-deployed', `${root} holds no deployed image`, {
    hint: 'begin with: bootseal host switch IMAGE --root DIR',
    exit: 2,
  });
}
