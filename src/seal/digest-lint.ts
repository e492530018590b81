/** The job behind `bootseal digest --lint`: what will make the digest of an image disagree later. */
import { lintRefusal, lintTree, type LintFinding } from '../composefs/lint.ts';
import { countPaths } from '../composefs/tree.ts';
import { isBootsealError } from '../errors.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { ReadPorts } from './base.ts';
import { readTreeInput, type TreeInput } from './tree-input.ts';

export interface DigestLint {
  /** Errors first. */
  readonly findings: readonly LintFinding[];
  /** Absent where the layers gave no tree. */
  readonly paths?: number;
  readonly image?: Digest;
}

/**
 * A refusal of the layers or the directory's names is a finding; what cannot be read at all is thrown. Contents are
 * read like for a digest, since every layer is checked on the way.
 */
export async function lintDigest(
  input: Exclude<TreeInput, { kind: 'file' }>,
  ports: ReadPorts,
): Promise<DigestLint> {
  try {
    const { tree, from, image } = await readTreeInput(input, ['sha512'], ports);
    return {
      findings: lintTree(tree, from === 'directory' ? 'directory' : 'layers'),
      paths: countPaths(tree),
      ...(image !== undefined && { image }),
    };
  } catch (error) {
    if (!isBootsealError(error) || !isAboutTheTree(error.code)) throw error;
    return { findings: [lintRefusal(error)] };
  }
}

/** Not about bytes that are damaged or missing. */
function isAboutTheTree(code: string): boolean {
  return /^(?:layer\/(?:missing-parent|parent-not-directory|bad-path|bad-symlink|bad-xattr|bad-hardlink|root-not-directory)|tree\/(?:path-too-long|bad-xattr|bad-device))$/.test(
    code,
  );
}
