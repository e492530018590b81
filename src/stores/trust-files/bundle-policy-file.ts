/**
 * Where the bundle policy is: `--bundle-policy FILE`, else `/etc/bootseal/bundles.json`, which need not exist. No other
 * program reads it.
 */
import type { BundlePolicy } from '../../formats/bundle-policy/policy.ts';
import { MAX_BUNDLE_POLICY_SIZE, parseBundlePolicy } from '../../formats/bundle-policy/reader.ts';
import { isBootsealError } from '../../errors.ts';
import { errnoOf, readSmallFile } from './read-file.ts';

export const SYSTEM_BUNDLE_POLICY = '/etc/bootseal/bundles.json';

export interface LoadedBundlePolicy {
  readonly policy: BundlePolicy;
  readonly file: string;
}

/**
 * Undefined where none was named and the system has none. Throws `bundle-policy/…`, exit 3: one that is there and cannot
 * be read must not pass for one that asks for nothing.
 */
export async function loadBundlePolicy(file?: string): Promise<LoadedBundlePolicy | undefined> {
  const path = file ?? SYSTEM_BUNDLE_POLICY;
  try {
    const bytes = await readSmallFile(path, {
      maxSize: MAX_BUNDLE_POLICY_SIZE,
      code: 'bundle-policy/unreadable',
    });
    return { policy: parseBundlePolicy(bytes, { file: path }), file: path };
  } catch (error) {
    const absent = isBootsealError(error) && ['ENOENT', 'ENOTDIR'].includes(errnoOf(error.cause) ?? '');
    if (file === undefined && absent) return undefined;
    throw error;
  }
}
