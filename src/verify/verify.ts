/**
 * Is this image what the policy wants? Resolves the name once, judges those bytes, and returns them with their digest,
 * so that whatever comes next uses what was judged.
 */
import { realpath } from 'node:fs/promises';
import { BootsealError, isBootsealError, type ErrorCode } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { parseManifest } from '../formats/oci/manifest.ts';
import { hostPlatform } from '../formats/oci/platform.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import { NO_REGISTRIES_CONFIG, type RegistriesConfig } from '../formats/registries-d/config.ts';
import type { ImageSource, ManifestBlob } from '../stores/image.ts';
import { openSource, type TransportOptions } from '../stores/open.ts';
import { loadBundlePolicy } from '../stores/trust-files/bundle-policy-file.ts';
import { keyFiles } from '../stores/trust-files/key-files.ts';
import { loadPolicy, type LoadedPolicy } from '../stores/trust-files/policy-file.ts';
import { loadRegistriesConfig } from '../stores/trust-files/registries-d.ts';
import type { Step } from '../steps.ts';
import type { Clock, KeyReader } from '../trust/ports.ts';
import type { PolicyVerdict } from '../trust/verdict.ts';
import { instancesDecide, type PolicyTool } from './as-tool.ts';
import { judgeManifest, type Judge, type JudgedManifest } from './judge.ts';
import { chooseInstances } from './instances.ts';
import { verifySteps } from './steps.ts';

export { parseImageName } from '../formats/reference/image-name.ts';

export interface VerifyRequest {
  /** The logical name: policy and identity speak of it. */
  readonly image: ImageName;
  /** `--policy FILE`; else the system's. */
  readonly policyFile?: string;
  /** `--registries.d DIR`; else the system's. */
  readonly registriesDirectory?: string;
  /** `--bundle-policy FILE`; else the system's, if it has one. Not asked where `as` names another tool. */
  readonly bundlePolicyFile?: string;
  /** Of an index: judge every instance, not only the one for `platform`. */
  readonly all?: boolean;
  /** Default: this machine's. */
  readonly platform?: Platform;
  /** Refuse where the policy would let an unsigned image pass. */
  readonly requireSigned?: boolean;
  /** Judge everything, also what does not change the verdict: for explaining. */
  readonly exhaustive?: boolean;
  /** Whose rule decides about an index. Default: podman's, which is also skopeo's. */
  readonly as?: PolicyTool;
}

export interface VerifyPorts {
  /** An open source is used and left open; else one is opened and closed here. */
  readonly source?: ImageSource;
  readonly transport?: TransportOptions;
  readonly policy?: LoadedPolicy;
  readonly registries?: RegistriesConfig;
  readonly keys?: KeyReader;
  readonly clock?: Clock;
  readonly env?: NodeJS.ProcessEnv;
}

export interface VerifyResult {
  readonly allowed: boolean;
  /** A requirement that checks signatures passed for everything judged. */
  readonly verified: boolean;
  readonly reasonCode?: ErrorCode;
  /** Why not, worded as skopeo's: `Source image rejected: …`. */
  readonly message?: string;
  /** What was judged and must be used from here on: the image, or with `all` the whole index. */
  readonly pinnedDigest: Digest;
  readonly top: ManifestBlob;
  /** The images judged: the top itself, the instance for the platform, or all instances. */
  readonly images: readonly ManifestBlob[];
  /** Every judgement, the index's own included, which does not decide. */
  readonly judged: readonly JudgedManifest[];
  /** The verdict that decided: the first refusal, else the first acceptance. */
  readonly verdict: PolicyVerdict;
  readonly steps: readonly Step[];
}

/**
 * A refusal is a result with `allowed: false`. Thrown is what prevents a verdict: a policy or registries.d that cannot
 * be read, an image that cannot be reached, an index without the platform; exit 3.
 */
export async function verifyImage(request: VerifyRequest, ports: VerifyPorts = {}): Promise<VerifyResult> {
  const setup = await prepareJudge(request, ports);
  const source = ports.source ?? (await openSource(request.image, ports.transport));
  try {
    return await verifySource(request, source, setup);
  } finally {
    if (ports.source === undefined) await source.close();
  }
}

/** 1. Policy and registries.d, before anything is asked of the network. */
export async function prepareJudge(request: VerifyRequest, ports: VerifyPorts = {}): Promise<Judge> {
  const env = ports.env ?? process.env;
  const policy = ports.policy ?? (await loadTrustPolicy(request, env));
  const { image, registriesDirectory: directory } = request;
  const registries =
    ports.registries ??
    (image.transport === 'docker'
      ? await loadRegistriesConfig({ env, ...(directory !== undefined && { directory }) })
      : NO_REGISTRIES_CONFIG);
  const bundles = request.as === undefined ? await loadBundlePolicy(request.bundlePolicyFile) : undefined;
  return {
    ...policy,
    ...(bundles && { bundles }),
    registries,
    image,
    keys: ports.keys ?? keyFiles(),
    clock: ports.clock ?? { now: () => Date.now() },
    requireSigned: request.requireSigned === true,
    exhaustive: request.exhaustive === true,
  };
}

/** In skopeo’s words. */
export async function loadTrustPolicy(
  { policyFile }: Pick<VerifyRequest, 'policyFile'>,
  env: NodeJS.ProcessEnv,
): Promise<LoadedPolicy> {
  try {
    return await loadPolicy({ env, ...(policyFile !== undefined && { file: policyFile }) });
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const { code, message, where, offset, exit } = error;
    const hint = error.hint ?? (await hintFor(error, policyFile, env));
    throw new BootsealError(code, `Error loading trust policy: ${message}`, {
      exit,
      cause: error,
      ...(hint !== undefined && { hint }),
      ...(where !== undefined && { where }),
      ...(offset !== undefined && { offset }),
    });
  }
}

/** What to write instead: lint knows for each mistake. */
async function hintFor(
  { offset }: BootsealError,
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  if (offset === undefined) return undefined;
  const { lintPolicyFile } = await import('./lint-policy.ts');
  const { findings } = await lintPolicyFile({ ...(file !== undefined && { file }) }, { env });
  return (
    findings.find((finding) => finding.offset === offset)?.hint ?? 'bootseal policy lint names every mistake'
  );
}

async function verifySource(
  request: VerifyRequest,
  source: ImageSource,
  setup: Judge,
): Promise<VerifyResult> {
  const judge = { ...setup, ...(await resolvedPathOf(request.image)) };
  // 2. What the name means, once. The source has checked the bytes against the digest of a name by digest.
  const top = await source.topManifest();
  const manifest = parseManifest(top.bytes, top.mediaType);
  if (manifest.kind === 'image' || !instancesDecide(request.as ?? 'podman')) {
    const judged = await judgeManifest(judge, source, top, { role: 'image' });
    return conclude(top, [top], [judged], top.digest);
  }
  // 3. Of an index the instances decide, as when skopeo and podman copy it.
  const index = await judgeManifest(judge, source, top, {
    role: 'index',
    informative: true,
    taken: request.all === true,
  });
  const instances = chooseInstances(manifest, request.all === true, request.platform ?? hostPlatform());
  const images: ManifestBlob[] = [];
  const judged: JudgedManifest[] = [index];
  for (const [at, instance] of instances.entries()) {
    const image = await source.manifest(instance.digest);
    const prefix =
      request.all === true
        ? `copying image ${at + 1}/${instances.length} from manifest list: `
        : 'copying system image from manifest list: ';
    const result = await judgeManifest(judge, source, image, {
      role: 'instance',
      prefix,
      ...(instance.platform && { platform: instance.platform }),
    });
    images.push(image);
    judged.push(result);
    if (!result.verdict.allowed) break;
  }
  return conclude(top, images, judged, request.all === true ? top.digest : images[0].digest);
}

function conclude(
  top: ManifestBlob,
  images: readonly ManifestBlob[],
  judged: readonly JudgedManifest[],
  pinnedDigest: Digest,
): VerifyResult {
  const deciding = judged.filter(({ role }) => role !== 'index');
  const decisive = deciding.find(({ verdict }) => !verdict.allowed) ?? deciding[0];
  const { verdict, prefix } = decisive;
  const { allowed, reasonCode, message } = verdict;
  return {
    allowed,
    verified: deciding.every((item) => item.verdict.verified),
    ...(reasonCode !== undefined && { reasonCode }),
    ...(message !== undefined && { message: `${prefix}Source image rejected: ${message}` }),
    pinnedDigest,
    top,
    images,
    judged,
    verdict,
    steps: verifySteps(decisive, judged),
  };
}

/** The path that policy scopes speak of. */
export async function resolvedPathOf(image: ImageName): Promise<{ readonly resolvedPath?: string }> {
  if (image.transport !== 'dir' && image.transport !== 'oci' && image.transport !== 'oci-archive') return {};
  try {
    return { resolvedPath: await realpath(image.path) };
  } catch (cause) {
    throw new BootsealError('verify/no-image', `cannot find ${image.path}`, { cause, where: image.path });
  }
}
