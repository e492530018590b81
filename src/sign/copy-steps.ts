/** What a copy did, as steps. */
import type { Step } from '../steps.ts';
import { formatImageName } from '../formats/reference/image-name.ts';
import { keyName } from '../trust/explain.ts';
import type { CopyRequest, CopyResult } from './copy-types.ts';

export function copySteps(request: CopyRequest, result: Omit<CopyResult, 'steps'>): Step[] {
  const { verdicts, blobs, signatures, images } = result;
  return [
    policyStep(verdicts),
    {
      id: 'blobs',
      title: 'blobs',
      state: 'passed',
      summary: `${blobs.copied} ${request.dryRun === true ? 'to copy' : 'copied'} (${blobs.bytes} bytes), ${blobs.present} there already, ${blobs.mounted} mounted`,
    },
    signatureStep(request, signatures),
    {
      id: 'manifest',
      title: 'manifest',
      state: 'passed',
      summary: `${result.digest}  unchanged`,
      details: [
        { label: 'name', value: formatImageName(request.to) },
        ...(images.length > 1 ? [{ label: 'images', value: String(images.length) }] : []),
      ],
    },
  ];
}

function policyStep(verdicts: CopyResult['verdicts']): Step {
  const step = { id: 'policy', title: 'policy' };
  if (verdicts.length === 0) {
    return { ...step, state: 'skipped', summary: 'not asked: --insecure-policy', code: 'copy/no-policy' };
  }
  const signed = verdicts.filter(({ verified }) => verified);
  if (signed.length < verdicts.length) {
    return { ...step, state: 'warning', summary: 'accepted without a signature', code: 'trust/unverified' };
  }
  const keys = new Set(signed.flatMap(({ signedBy }) => signedBy?.keyFingerprint ?? []));
  return {
    ...step,
    state: 'passed',
    summary: `signed by ${[...keys].map(keyName).join(', ')}`,
  };
}

function signatureStep(request: CopyRequest, { copied, made }: CopyResult['signatures']): Step {
  const step = { id: 'signatures', title: 'signatures' };
  if (request.removeSignatures === true && made === 0) {
    return { ...step, state: 'skipped', summary: 'left behind: --remove-signatures' };
  }
  return { ...step, state: 'passed', summary: `${copied} copied, ${made} made` };
}
