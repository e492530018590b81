/**
 * The seal: the signed command line names a tree by digest, and the layers make that tree. Only called with UKIs
 * whose signature holds.
 */
import { pathText } from '../../composefs/diff.ts';
import { digestOfTree, epochOfDigest, type Epoch } from '../../composefs/epochs.ts';
import type { Tree } from '../../composefs/tree.ts';
import { BootsealError, isBootsealError } from '../../errors.ts';
import { looseKernels, type BootFile } from '../../seal/boot-files.ts';
import { sealedDigest } from '../../seal/sealed-digest.ts';
import type { Step } from '../../steps.ts';
import { inspectUki, type UkiInfo } from '../../uki/inspect.ts';
import { explainMismatch } from './mismatch.ts';

const SEAL = { id: 'seal', title: 'seal' } as const;

export interface SealCheck {
  readonly step: Step;
  /** What the layers give, whether or not the UKI agrees. */
  readonly composefs?: string;
}

export function checkSeal(tree: Tree, ukis: readonly BootFile[], epoch: Epoch): SealCheck {
  try {
    // 1. What the UKIs promise. They must be complete: what a UKI lacks, the boot loader may add unsigned.
    const promised = new Set(ukis.map((uki) => promiseOf(uki)));
    // 2. No kernel beside them.
    const loose = looseKernels(tree);
    if (loose.length > 0) {
      throw new BootsealError('seal/loose-kernel', `/${pathText(loose[0])} would boot without the UKI`, {
        exit: 1,
      });
    }
    // 3. What the layers give.
    const computed = digestOfTree(tree, epoch);
    const wrong = [...promised].find((digest) => digest !== computed);
    if (wrong === undefined) {
      return { step: { ...SEAL, state: 'passed', summary: `composefs=${computed}` }, composefs: computed };
    }
    return { step: { ...SEAL, ...mismatch(tree, wrong, computed, epoch) }, composefs: computed };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const { code, message, hint } = error;
    return {
      step: { ...SEAL, state: 'failed', summary: message, code, ...(hint !== undefined && { hint }) },
    };
  }
}

function promiseOf({ path, bytes }: BootFile): string {
  const info = inspectUki(bytes);
  requireSections(info, path);
  return sealedDigest(info);
}

function requireSections(info: UkiInfo, path: string): void {
  for (const name of ['.linux', '.initrd', '.cmdline']) {
    if (info.sections.some((section) => section.name === name && section.size > 0)) continue;
    throw new BootsealError(
      'seal/incomplete-uki',
      `${pathText(path)} has no ${name}: one that nobody signed could be added`,
      {
        exit: 1,
      },
    );
  }
}

function mismatch(tree: Tree, wrong: string, computed: string, epoch: Epoch): Omit<Step, 'id' | 'title'> {
  const summary = `the UKI says composefs=${wrong}, but these layers give ${computed}`;
  const other = epochOfDigest(tree, wrong, epoch.algorithm);
  if (other !== undefined) {
    return {
      state: 'failed',
      summary,
      code: 'seal/other-epoch',
      details: [
        {
          label: 'cause',
          value: `it is the digest by the rules "${other.name}" (${other.bootc === '' ? 'no bootc yet' : `bootc ${other.bootc}`})`,
        },
      ],
      hint: 'bootc of today computes another one and will refuse the image: seal it again',
    };
  }
  return { state: 'failed', summary, ...explainMismatch(tree, wrong, epoch) };
}
