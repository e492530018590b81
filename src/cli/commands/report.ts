/** `bootseal report IMAGE --output FILE.html`: the chain of trust as a page. */
import { defineCommand, imageArgument, text, type Command } from '../command.ts';
import { runSealedChain, sealedFlags, type SealedFlags } from '../sealed-chain.ts';

interface Flags extends SealedFlags {
  readonly output: string;
}

export const command: Command = defineCommand<Flags, [image: string]>({
  description:
    'Checks everything that `bootseal verify --sealed` checks and writes the result as one HTML page that needs ' +
    'neither network nor script. The page is written for a broken chain too. Exit status: 0 unbroken, 1 broken, 3 ' +
    'could not decide. The time on the page is SOURCE_DATE_EPOCH when that is set, else now.',
  flags: {
    output: { kind: 'parsed', parse: text, placeholder: 'FILE', brief: 'the page; replaced if it is there' },
    ...sealedFlags,
  },
  aliases: { o: 'output' },
  args: [imageArgument('IMAGE')],
  async run(context, flags, image) {
    const result = await runSealedChain(context, flags, image);
    const { renderReport } = await import('../../serve/report/page.ts');
    const { writeFileAtomic } = await import('../../stores/atomic-write.ts');
    const { packageVersion } = await import('../version.ts');
    const page = renderReport({
      image: result.image,
      digest: result.digest ?? 'unknown: the image could not be read',
      when: reportTime(context.env),
      ok: result.ok,
      steps: result.steps,
      command: `bootseal verify --sealed${flags.cert!.map((file) => ` --cert ${file}`).join('')} ${result.image}`,
      generator: `bootseal ${packageVersion()}`,
    });
    await writeFileAtomic(flags.output, [new TextEncoder().encode(page)]);
    const broken = result.steps.find((step) => step.state === 'failed');
    return {
      ok: result.ok,
      exit: result.exit,
      verdict: {
        word: result.ok ? 'unbroken' : 'broken',
        subject: result.digest === undefined ? result.image : `${result.image}  ${result.digest}`,
        ...(broken && { reason: `${broken.title}: ${broken.summary}` }),
        facts: [{ label: 'report', value: flags.output }],
      },
      json: { image: result.image, digest: result.digest, composefs: result.composefs, report: flags.output },
      steps: result.steps,
    };
  },
});

/** ISO 8601. https://reproducible-builds.org/specs/source-date-epoch/ */
function reportTime(env: NodeJS.ProcessEnv): string {
  const epoch = env['SOURCE_DATE_EPOCH'];
  const seconds = epoch !== undefined && /^\d{1,12}$/.test(epoch) ? Number(epoch) * 1000 : Date.now();
  return new Date(seconds).toISOString();
}
