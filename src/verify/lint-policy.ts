/** Job `policy lint`: the policy, and the files that it names or needs. Nothing is asked of the network. */
import { realpath } from 'node:fs/promises';
import { isBootsealError, type ErrorCode } from '../errors.ts';
import { MAX_KEYRING_SIZE } from '../formats/openpgp/format.ts';
import { MAX_POLICY_SIZE } from '../formats/policy-json/reader.ts';
import { whereIs } from '../formats/strict-json/position.ts';
import { keyFiles } from '../stores/trust-files/key-files.ts';
import { findPolicyFile } from '../stores/trust-files/policy-file.ts';
import { readSmallFile } from '../stores/trust-files/read-file.ts';
import { loadRegistriesConfig } from '../stores/trust-files/registries-d.ts';
import { lintAttachments } from '../trust/lint/attachments.ts';
import type { Finding, Report, Severity } from '../trust/lint/finding.ts';
import { lintKey } from '../trust/lint/key-bytes.ts';
import { lintPolicy, type LintResult } from '../trust/lint/lint.ts';
import type { NamedKey } from '../trust/lint/named-keys.ts';
import type { KeyReader } from '../trust/ports.ts';
import { MAX_POOL_SIZE } from '../trust/x509/limits.ts';

export interface LintRequest {
  /** Else the system's, as for {@link findPolicyFile}. */
  readonly file?: string;
  /** `--registries.d DIR`; else the system's. */
  readonly registriesDirectory?: string;
}

export interface LintPorts {
  readonly env?: NodeJS.ProcessEnv;
  readonly keys?: KeyReader;
  readonly now?: Date;
}

export interface PlacedFinding {
  readonly severity: Severity;
  readonly code: ErrorCode;
  readonly message: string;
  /** `file:line:column`. */
  readonly where: string;
  /** Byte offset. */
  readonly offset: number;
  readonly hint?: string;
}

export interface LintReport {
  readonly file: string;
  readonly findings: readonly PlacedFinding[];
  readonly counts: Readonly<Record<Severity, number>>;
  /** What podman and skopeo say when they refuse the whole file. */
  readonly refusal?: string;
}

/** Throws `policy/not-found` and `policy/unreadable`; whatever the file holds is a finding. */
export async function lintPolicyFile(request: LintRequest, ports: LintPorts = {}): Promise<LintReport> {
  const env = ports.env ?? process.env;
  const file = await findPolicyFile({ env, ...(request.file !== undefined && { file: request.file }) });
  const bytes = await readSmallFile(file, { maxSize: MAX_POLICY_SIZE, code: 'policy/unreadable' });
  const result = lintPolicy(bytes, file);
  const findings: Finding[] = [...result.findings];
  const report = (finding: Finding): void => void findings.push(finding);
  await lintKeys(result, ports, report);
  await lintPaths(result, report);
  await lintRegistries(result, request, env, report);
  const placed = findings
    .toSorted((a, b) => a.offset - b.offset)
    .map((finding) => ({ ...finding, where: whereIs(file, bytes, finding.offset) }));
  const count = (severity: Severity): number => placed.filter((each) => each.severity === severity).length;
  return {
    file,
    findings: placed,
    counts: { error: count('error'), warning: count('warning'), note: count('note') },
    ...(result.refusal !== undefined && { refusal: result.refusal }),
  };
}

async function lintKeys({ keys }: LintResult, ports: LintPorts, report: Report): Promise<void> {
  const reader = ports.keys ?? keyFiles();
  const now = ports.now ?? new Date();
  for (const key of keys) {
    const bytes = await readKey(key, reader, report);
    if (bytes !== undefined) await lintKey(key, bytes, now, report);
  }
}

/** Bytes; undefined for the limit of a single key. */
const MAX_SIZE: Readonly<Record<NamedKey['kind'], number | undefined>> = {
  sigstore: undefined,
  rekor: undefined,
  gpg: MAX_KEYRING_SIZE,
  certificates: MAX_POOL_SIZE,
};

async function readKey(
  { kind, path, data, offset, member }: NamedKey,
  reader: KeyReader,
  report: Report,
): Promise<Uint8Array | undefined> {
  if (path === undefined) return data;
  if (!path.startsWith('/')) {
    const message = `${path} is looked for in whatever folder the program was started in`;
    report({
      severity: 'warning',
      code: 'policy/relative-path',
      message,
      offset,
      hint: 'write the whole path, from / on',
    });
  }
  try {
    return await reader.read(path, MAX_SIZE[kind]);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const message = `${member}: ${error.message}`;
    const hint = 'every image of this scope is refused until the file can be read';
    report({ severity: 'error', code: 'trust/key-unreadable', message, offset, hint });
    return undefined;
  }
}

/** Scopes that are paths are compared with the path of the image after its symbolic links. */
async function lintPaths({ policy }: LintResult, report: Report): Promise<void> {
  for (const { transport = '', scope = '', offset } of policy.scopes) {
    if (!['dir', 'oci', 'oci-archive', 'sif'].includes(transport) || !scope.startsWith('/')) continue;
    const real = await realpath(scope).catch(() => scope);
    if (real === scope) continue;
    const message = `no image is ever looked up under ${scope}: it is reached through a symbolic link`;
    report({
      severity: 'warning',
      code: 'policy/dead-scope',
      message,
      offset,
      hint: `write ${JSON.stringify(real)}`,
    });
  }
}

async function lintRegistries(
  result: LintResult,
  { registriesDirectory: directory }: LintRequest,
  env: NodeJS.ProcessEnv,
  report: Report,
): Promise<void> {
  try {
    const config = await loadRegistriesConfig({ env, ...(directory !== undefined && { directory }) });
    lintAttachments(result.policy, config, report);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const { code, message, where = '' } = error;
    const text =
      `registries.d cannot be read, so no image of docker:// can be judged: ${message} ${where}`.trimEnd();
    report({ severity: 'error', code, message: text, offset: 0 });
  }
}
