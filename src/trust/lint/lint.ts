/** What is wrong with the bytes of a policy.json, all of it at once. Files that it names: src/verify/lint-policy.ts. */
import { isBootsealError } from '../../errors.ts';
import { MAX_POLICY_SIZE, parsePolicy } from '../../formats/policy-json/reader.ts';
import { readTolerantJson } from '../../formats/strict-json/tolerant.ts';
import type { Finding } from './finding.ts';
import { namedKeys, type NamedKey } from './named-keys.ts';
import { lintRequirements } from './requirements.ts';
import { lintScopes } from './scopes.ts';
import { policyCode, readShape, type LintPolicy } from './shape.ts';

export interface LintResult {
  /** In the order of the file. */
  readonly findings: readonly Finding[];
  /** What podman and skopeo say when they refuse the whole file; undefined when they take it. */
  readonly refusal?: string;
  /** Keys and certificates that sound requirements name. */
  readonly keys: readonly NamedKey[];
  readonly policy: LintPolicy;
}

/** More of them are cut off: who has this many reads the first ten. */
const MAX_FINDINGS = 1000;

/** `file` appears in the words of the peers. Throws `json/too-large` only. */
export function lintPolicy(bytes: Uint8Array, file: string): LintResult {
  const findings: Finding[] = [];
  const report = (finding: Finding): void => void (findings.length < MAX_FINDINGS && findings.push(finding));
  // 1. Text: brackets, commas, comments.
  const { node, problems } = readTolerantJson(bytes, { maxSize: MAX_POLICY_SIZE });
  for (const problem of problems) report({ ...problem, severity: 'error', code: policyCode(problem.code) });
  // 2. What containers/image refuses in a document whose text is sound.
  const policy = node === undefined ? { scopes: [], transports: [] } : readShape(node, report);
  // 3. Its own reader has the last word on whether there is anything to refuse.
  const refusal = refusalOf(bytes, file);
  if (refusal !== undefined && !findings.some(({ severity }) => severity === 'error')) report(refusal);
  // 4. What is taken, and does not do what it looks like.
  lintScopes(policy, report);
  for (const scope of policy.scopes) lintRequirements(scope, report);
  const keys = policy.scopes.flatMap(({ requirements }) => requirements.flatMap(namedKeys));
  return {
    findings: findings.toSorted((a, b) => a.offset - b.offset),
    ...(refusal && { refusal: refusal.message }),
    keys,
    policy,
  };
}

function refusalOf(bytes: Uint8Array, file: string): Finding | undefined {
  try {
    parsePolicy(bytes, { file });
    return undefined;
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const { code, message, offset = 0, hint } = error;
    return { severity: 'error', code, message, offset, ...(hint !== undefined && { hint }) };
  }
}
