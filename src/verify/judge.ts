/** One manifest before the policy, with the signatures found beside it. */
import { BootsealError, isBootsealError } from '../errors.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Policy } from '../formats/policy-json/policy.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import type { RegistriesConfig } from '../formats/registries-d/config.ts';
import type { ImageSource, ManifestBlob } from '../stores/image.ts';
import type { LoadedBundlePolicy } from '../stores/trust-files/bundle-policy-file.ts';
import { evaluatePolicy, type PolicyQuestion } from '../trust/evaluate.ts';
import type { Clock, KeyReader } from '../trust/ports.ts';
import type { LookedIn, PolicyVerdict } from '../trust/verdict.ts';
import { readSignatures } from './signatures-of.ts';

/** Everything that stays the same for all manifests of one image. */
export interface Judge {
  readonly policy: Policy;
  readonly file: string;
  readonly registries: RegistriesConfig;
  /** The logical name. */
  readonly image: ImageName;
  readonly resolvedPath?: string;
  readonly keys: KeyReader;
  readonly clock: Clock;
  readonly requireSigned: boolean;
  readonly exhaustive?: boolean;
  /** bundles.json, where there is one. */
  readonly bundles?: LoadedBundlePolicy;
}

export interface JudgedManifest {
  readonly role: 'image' | 'index' | 'instance';
  readonly manifest: ManifestBlob;
  readonly platform?: Platform;
  readonly verdict: PolicyVerdict;
  readonly lookedIn: readonly LookedIn[];
  /** What skopeo puts before its message for a part of a list. */
  readonly prefix: string;
}

export interface JudgeOptions {
  readonly role: JudgedManifest['role'];
  readonly platform?: Platform;
  readonly prefix?: string;
  /** The verdict does not decide: trouble in reading its signatures is told, not thrown. */
  readonly informative?: boolean;
  /** It is taken as well, with its signatures: as when it is copied, those that cannot be read prevent a verdict. */
  readonly taken?: boolean;
}

/** Throws what reaching the signatures throws; signatures that are there and malformed are a refusal, or see below. */
export async function judgeManifest(
  judge: Judge,
  source: ImageSource,
  manifest: ManifestBlob,
  options: JudgeOptions,
): Promise<JudgedManifest> {
  let lookedIn: readonly LookedIn[] = [];
  let read = false;
  let failure: unknown;
  const signatures = async () => {
    read = true;
    try {
      const found = await readSignatures(source, manifest.digest, judge.registries);
      lookedIn = found.places;
      return found.signatures;
    } catch (error) {
      failure = error;
      if (isBootsealError(error) && options.informative === true) {
        lookedIn = [{ place: 'signatures', result: error.message }];
        return [];
      }
      throw error;
    }
  };
  const question: PolicyQuestion = {
    // Only the opened store knows whether a text is a name or an ID, and what policies call it.
    image: source.name.transport === 'containers-storage' ? source.name : judge.image,
    ...(judge.resolvedPath !== undefined && { resolvedPath: judge.resolvedPath }),
    manifest,
    signatures,
    keys: judge.keys,
    clock: judge.clock,
    policyFile: judge.file,
    requireSigned: judge.requireSigned,
    exhaustive: judge.exhaustive === true,
  };
  let verdict = await evaluatePolicy(judge.policy, question);
  if (judge.bundles !== undefined) {
    const { applyBundlePolicy } = await import('./bundle-gate.ts');
    const evaluate = (policy: Policy) => evaluatePolicy(policy, { ...question, requireSigned: false });
    verdict = await applyBundlePolicy(
      { ...judge, bundles: judge.bundles, evaluate },
      source,
      manifest,
      verdict,
    );
  }
  // A policy that accepts anything never looks at signatures, but copying the image does: malformed ones break it.
  if ((verdict.allowed || options.taken === true) && !read) await readAnyway(signatures);
  if (options.taken === true && failure !== undefined) throw unread(failure);
  if (verdict.reasonCode === 'trust/no-signature' && options.informative !== true) {
    const { lookFurther } = await import('./unusable.ts');
    lookedIn = [...lookedIn, ...(await lookFurther(source, manifest.digest, lookedIn))];
  }
  const { role, platform, prefix = '' } = options;
  return { role, manifest, ...(platform && { platform }), verdict, lookedIn, prefix };
}

async function readAnyway(signatures: () => Promise<unknown>): Promise<void> {
  try {
    await signatures();
  } catch (error) {
    throw unread(error);
  }
}

function unread(error: unknown): unknown {
  if (!isBootsealError(error)) return error;
  return new BootsealError(error.code, `reading signatures: ${error.message}`, {
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
