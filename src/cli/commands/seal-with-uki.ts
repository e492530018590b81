/** `bootseal seal-with-uki --from IMAGE --to IMAGE --uki FILE`: the sealed image, with a UKI signed elsewhere. */
import { formatImageName, parseImageName } from '../../formats/reference/image-name.ts';
import { defineCommand, text, type Command } from '../command.ts';
import { destinationOptions } from '../copy-flags.ts';
import {
  chosenBootloader,
  dryRun,
  embedDump,
  imageFlag,
  openBase,
  readProgram,
  sealFlags,
  sealOutcome,
  sealPorts,
  type SealFlags,
} from '../seal-flags.ts';

interface Flags extends SealFlags {
  readonly to: string;
  readonly uki: string;
  readonly cert?: string;
  readonly embedDump: boolean;
  readonly dryRun: boolean;
}

export const command: Command = defineCommand<Flags, []>({
  description:
    'Takes the image that build-uki was given and the UKI that it made, signed since. Refuses a UKI that is not ' +
    'signed, that holds another kernel, or that names another file tree.',
  flags: {
    ...sealFlags,
    to: { ...imageFlag, brief: 'where the sealed image goes' },
    uki: { kind: 'parsed', parse: text, placeholder: 'FILE', brief: 'the signed UKI' },
    cert: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'certificate that must have signed it, or issued the one that did',
    },
    embedDump,
    dryRun,
  },
  args: [],
  async run(context, flags) {
    const { sealWithUki } = await import('../../seal/seal-with-uki.ts');
    const { openDestination } = await import('../../stores/open.ts');
    const { readCertificates } = await import('../../stores/keys/certificates.ts');
    const to = parseImageName(flags.to);
    const uki = await readProgram(flags.uki);
    const certificates = flags.cert === undefined ? [] : await readCertificates(flags.cert);
    const { dryRun, embedDump, platform } = flags;
    const source = await openBase(flags, context);
    try {
      const result = await sealWithUki(
        {
          source,
          uki,
          certificates,
          embedDump,
          dryRun,
          ...(platform && { platform }),
          ...(await chosenBootloader(flags)),
        },
        () => openDestination(to, destinationOptions(flags, context)),
        await sealPorts(flags, context),
      );
      return sealOutcome(formatImageName(to), result, dryRun);
    } finally {
      await source.close();
    }
  },
});
