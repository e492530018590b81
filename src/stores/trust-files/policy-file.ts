/**
 * Where policy.json is: containers-policy.json(5), with the order of container-libs (image 5.40 and later). Older
 * releases (skopeo 1.22, podman 5) read only `~/.config` and `/etc`: `--policy` says the same to all of them.
 */
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BootsealError } from '../../errors.ts';
import type { Policy } from '../../formats/policy-json/policy.ts';
import { MAX_POLICY_SIZE, parsePolicy } from '../../formats/policy-json/reader.ts';
import { readSmallFile } from './read-file.ts';

export interface LoadedPolicy {
  readonly policy: Policy;
  readonly file: string;
}

export interface PolicySearch {
  /** `--policy FILE`: nothing else is then looked at. */
  readonly file?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Instead of `/`, for tests and for images that are mounted. */
  readonly root?: string;
}

/** Throws `policy/not-found`, `policy/unreadable` and what {@link parsePolicy} throws. All exit 3. */
export async function loadPolicy(search: PolicySearch = {}): Promise<LoadedPolicy> {
  const file = await findPolicyFile(search);
  const bytes = await readSmallFile(file, {
    maxSize: MAX_POLICY_SIZE,
    code: 'policy/unreadable',
    hint: 'name another with --policy FILE, or make one: bootseal trust init --repository REPOSITORY --key FILE.pub',
  });
  return { policy: parsePolicy(bytes, { file }), file };
}

/** The first that exists; the files are never combined. */
export async function findPolicyFile(search: PolicySearch = {}): Promise<string> {
  return (await searchPolicyFile(search)).file;
}

export interface FoundPolicyFile {
  readonly file: string;
  /** Why this one: `--policy`, `$CONTAINERS_POLICY_JSON`, or `the first that exists`. */
  readonly because: string;
  /** Places before it that have none, and places after it that were not looked at. */
  readonly missing: readonly string[];
  readonly passedOver: readonly string[];
}

/** {@link findPolicyFile} with its reasons. */
export async function searchPolicyFile({
  file,
  env = process.env,
  root = '/',
}: PolicySearch = {}): Promise<FoundPolicyFile> {
  const candidates = [
    join(userConfigFolder(env), 'containers', 'policy.json'),
    join(root, 'etc/containers/policy.json'),
    join(root, 'usr/share/containers/policy.json'),
  ];
  const given = { missing: [], passedOver: candidates };
  if (file !== undefined) return { file, because: '--policy', ...given };
  // Named by hand, so it must exist: no silent step to the next place.
  const named = env['CONTAINERS_POLICY_JSON'];
  if (named !== undefined && named !== '')
    return { file: named, because: '$CONTAINERS_POLICY_JSON', ...given };
  for (const [at, candidate] of candidates.entries()) {
    // Only "not there" leads on: a policy that exists and cannot be read must not be passed over.
    if (!(await exists(candidate))) continue;
    const others = { missing: candidates.slice(0, at), passedOver: candidates.slice(at + 1) };
    return { file: candidate, because: 'the first that exists', ...others };
  }
  const searched = candidates.map((candidate) => JSON.stringify(candidate)).join(', ');
  throw new BootsealError('policy/not-found', `no policy.json file found; searched paths: [${searched}]`, {
    hint: 'name one (policy lint FILE, elsewhere --policy FILE), or make one: bootseal trust init --repository REPOSITORY --key FILE.pub',
  });
}

/** Set but empty counts as not set, as the XDG specification says. */
export function userConfigFolder(env: NodeJS.ProcessEnv): string {
  return env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code !== 'ENOENT' && code !== 'ENOTDIR';
  }
}
