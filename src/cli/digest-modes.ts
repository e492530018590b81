/** `bootseal digest --lint` and `--from-uki`: the other questions about the digest of an image. */
import type { Outcome } from './command.ts';
import type { CliContext } from './context.ts';
import { layerProgress } from './layer-progress.ts';
import { openRootInput, readBounded, type InputFlags } from './tree-inputs.ts';
import type { ReadPorts } from '../seal/base.ts';

export async function readPorts(context: CliContext, what?: string): Promise<ReadPorts> {
  const { openLayerPorts } = await import('../stores/layer-ports.ts');
  return { openLayerPorts, signal: context.signal, onProgress: await layerProgress(context, what) };
}

export async function lintOutcome(text: string, flags: InputFlags, context: CliContext): Promise<Outcome> {
  const { lintDigest } = await import('../seal/digest-lint.ts');
  const { lintJson, lintSteps } = await import('./render/digests.ts');
  const { input, close } = await openRootInput(text, flags, context);
  try {
    const { findings, paths, image } = await lintDigest(input, await readPorts(context));
    const errors = findings.filter(({ severity }) => severity === 'error').length;
    const warnings = findings.length - errors;
    const counts = `${errors} ${errors === 1 ? 'error' : 'errors'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
    return {
      ok: errors === 0,
      verdict: {
        word: errors === 0 ? 'fit to seal' : 'not fit to seal',
        subject: text,
        ...(findings.length > 0 && { reason: `${counts} about its digest` }),
      },
      steps: lintSteps(findings),
      json: { ...(image && { image }), ...(paths !== undefined && { paths }), findings: lintJson(findings) },
    };
  } finally {
    await close();
  }
}

export async function fromUkiOutcome(
  text: string,
  uki: string | undefined,
  flags: InputFlags,
  context: CliContext,
): Promise<Outcome> {
  const { matchUki } = await import('../seal/digest-from-uki.ts');
  const { ukiMatchJson, ukiMatchSteps } = await import('./render/digests.ts');
  const file = uki === undefined ? undefined : { path: uki, bytes: await readBounded(uki) };
  const { input, close } = await openRootInput(text, flags, context);
  try {
    const result = await matchUki({ input, ...(file && { uki: file }) }, await readPorts(context));
    const ok = result.ukis.every(({ matches }) => matches.length > 0);
    const names = [...new Set(result.ukis.map(({ matches }) => matches[0]?.epoch.name ?? 'none'))];
    return {
      ok,
      verdict: {
        word: ok ? names.join(', ') : 'no match',
        subject: text,
        ...(!ok && {
          reason:
            'by no known rules do these files give the digest that the UKI names: something was changed after it was built',
          hint: 'name what changed: bootseal digest diff IMAGE ./FILE.dump, with the dump that was made with the UKI',
        }),
      },
      steps: ukiMatchSteps(result),
      json: ukiMatchJson(result),
    };
  } finally {
    await close();
  }
}
