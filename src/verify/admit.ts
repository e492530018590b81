/** The policy as a gate for other jobs: copy, upgrade. */
import { BootsealError, withDetails } from '../errors.ts';
import { formatImageName } from '../formats/reference/image-name.ts';
import type { ImageSource, ManifestBlob } from '../stores/image.ts';
import type { Step } from '../steps.ts';
import { keyName } from '../trust/explain.ts';
import type { PolicyVerdict } from '../trust/verdict.ts';
import { judgeManifest } from './judge.ts';
import { prepareJudge, resolvedPathOf, type VerifyPorts, type VerifyRequest } from './verify.ts';

/**
 * Judges one manifest, of a single image or of an instance, by its own bytes. `prefix` goes before the message, for
 * example `copying system image from manifest list: `. Returns the verdict, or throws a BootsealError (exit 1) with its
 * reason code and skopeo's words: nothing of the image may be used then.
 */
export type Admit = (source: ImageSource, image: ManifestBlob, prefix?: string) => Promise<PolicyVerdict>;

/** Reads policy and registries.d at once, so that a job fails before it has written anything. */
export async function prepareAdmit(request: VerifyRequest, ports: VerifyPorts = {}): Promise<Admit> {
  const judge = { ...(await prepareJudge(request, ports)), ...(await resolvedPathOf(request.image)) };
  return async (source, image, prefix = '') => {
    const judged = await judgeManifest(judge, source, image, { role: 'image', prefix });
    const { verdict } = judged;
    if (verdict.allowed) return verdict;
    throw withDetails(refusal(verdict, prefix), { hint: explainHint(request) });
  };
}

/** The command that tells what a job in the middle of its work has no room for. */
function explainHint({ image, policyFile, registriesDirectory }: VerifyRequest): string {
  const policy = policyFile === undefined ? '' : ` --policy ${policyFile}`;
  const registries = registriesDirectory === undefined ? '' : ` --registries.d ${registriesDirectory}`;
  return `why: bootseal policy explain${policy}${registries} ${formatImageName(image)}`;
}

export function refusal(verdict: PolicyVerdict, prefix = ''): BootsealError {
  const code = verdict.reasonCode ?? 'trust/rejected';
  const unsupported = code === 'policy/unsupported-requirement';
  return new BootsealError(code, `${prefix}Source image rejected: ${verdict.message ?? ''}`, {
    exit: unsupported ? 3 : 1,
    where: verdict.policyFile,
    ...(unsupported && {
      hint: 'only keyType GPGKeys exists, here as in containers/image: name an OpenPGP keyring',
    }),
  });
}

/** The gate as a step of a longer job, for example of sealing: passes with a step, or throws. */
export function admitAsStep(
  admit: Admit,
  step: Pick<Step, 'id' | 'title'>,
): (
  source: ImageSource,
  image: { readonly top: ManifestBlob; readonly instance: ManifestBlob },
) => Promise<Step> {
  return async (source, { top, instance }) => {
    const prefix = top.digest === instance.digest ? '' : 'copying system image from manifest list: ';
    const verdict = await admit(source, instance, prefix);
    const { signedBy, pinnedDigest } = verdict;
    return signedBy === undefined
      ? {
          ...step,
          state: 'warning',
          summary: `${pinnedDigest}  accepted without a signature`,
          code: 'trust/unverified',
        }
      : {
          ...step,
          state: 'passed',
          summary: `${pinnedDigest}  signed by ${keyName(signedBy.keyFingerprint)}`,
        };
  };
}
