/** What `trust init` wrote, or would write. */
import type { TrustFile } from '../../sign/trust-files.ts';
import type { StepDetail } from '../../steps.ts';
import type { Outcome } from '../command.ts';

export function trustOutcome(
  flags: { readonly acceptOthers: boolean; readonly dryRun: boolean },
  subject: string,
  files: readonly TrustFile[],
  done: readonly StepDetail[],
  json: object = {},
): Outcome {
  const others = flags.acceptOthers ? 'accepted unsigned' : 'rejected';
  const facts = [
    ...(done.length > 0 ? done : files.map(({ path }) => ({ label: 'file', value: `/${path}` }))),
    { label: 'others', value: `images of other names are ${others}` },
  ];
  return {
    ok: true,
    verdict: { word: flags.dryRun ? 'nothing written (dry run)' : 'trust written', subject, facts },
    json: { files: files.map(({ path }) => path), ...json },
  };
}
