/** Job `uki verify`: the verdict over one file, and each signature as a step. */
import { verifyPe, type PeVerdict } from '../formats/authenticode/verify.ts';
import { verifyAs, type Verifier } from '../formats/authenticode/verify-as.ts';
import { isBootsealError } from '../errors.ts';
import type { Step } from '../steps.ts';
import { readBootFile } from '../stores/boot-file.ts';
import { readCertificates } from '../stores/keys/certificates.ts';
import { checkClosed } from '../uki/closed.ts';
import { inspectUki } from '../uki/inspect.ts';
import { describeProgram } from '../uki/program.ts';

export interface VerifyBootProgramRequest {
  readonly file: string;
  /** Certificate files. */
  readonly certificates: readonly string[];
  readonly at?: Date;
  /** Another program's verdict in place of ours. */
  readonly as?: Verifier;
}

export interface VerifiedBootProgram {
  readonly verdict: PeVerdict;
  readonly steps: readonly Step[];
}

export async function verifyBootProgram(request: VerifyBootProgramRequest): Promise<VerifiedBootProgram> {
  const anchors: Uint8Array[] = [];
  for (const path of request.certificates) anchors.push(...(await readCertificates(path)));
  const file = await readBootFile(request.file);
  const options = { anchors, ...(request.at === undefined ? {} : { at: request.at }) };
  const verdict = request.as === undefined ? verifyPe(file, options) : verifyAs(request.as, file, options);
  return { verdict, steps: [...verdictSteps(verdict), ...openSteps(file)] };
}

/** One step a signature, then the warnings. A file that could not be read that far has one step: why. */
export function verdictSteps(verdict: PeVerdict): Step[] {
  const signatures = verdict.signatures.map((signature, index): Step => {
    const id = `signature-${index + 1}`;
    const title = `signature ${index + 1}`;
    const [first] = signature.reasons;
    const subject = signature.subject ?? 'nobody named';
    if (first === undefined) return { id, title, state: 'passed', summary: subject };
    const details = signature.reasons.map((reason) => ({ label: reason.code, value: reason.message }));
    return { id, title, state: 'failed', summary: subject, details, code: first.code };
  });
  const [reason] = verdict.reasons;
  const file: Step[] =
    signatures.length === 0 && reason !== undefined
      ? [{ id: 'file', title: 'file', state: 'failed', summary: reason.message, code: reason.code }]
      : [];
  const warnings = verdict.warnings.map(({ code, message }): Step => ({
    id: 'warning',
    title: 'warning',
    state: 'warning',
    summary: message,
    code,
  }));
  return [...file, ...signatures, ...warnings];
}

/** A signed UKI that takes unsigned parts from the loader boots, but it is not what its signature suggests. */
function openSteps(file: Uint8Array): Step[] {
  try {
    if (describeProgram(file) !== 'uki') return [];
    checkClosed(inspectUki(file));
    return [];
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    // A file that cannot be read has its own step already.
    if (error.code !== 'uki/open') return [];
    const { code, message, hint } = error;
    return [
      {
        id: 'closed',
        title: 'closed',
        state: 'warning',
        summary: message,
        code,
        ...(hint === undefined ? {} : { hint }),
      },
    ];
  }
}
