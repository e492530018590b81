/** `bootseal seal --from IMAGE --to IMAGE --key FILE --cert FILE`: build, sign and write, in one step. */
import { formatImageName, parseImageName } from '../../formats/reference/image-name.ts';
import { defineCommand, text, type Command } from '../command.ts';
import { destinationOptions } from '../copy-flags.ts';
import {
  chosenBootloader,
  dryRun,
  embedDump,
  chosenStub,
  imageFlag,
  openBase,
  sealFlags,
  sealOutcome,
  sealPorts,
  ukiFlags,
  type SealFlags,
  type UkiFlags,
} from '../seal-flags.ts';
import { readSecureBootKey, type SecureBootKeyFlags } from '../secure-boot-key.ts';

interface Flags extends SealFlags, UkiFlags, SecureBootKeyFlags {
  readonly to: string;
  readonly embedDump: boolean;
  readonly dryRun: boolean;
}

const file = { kind: 'parsed', parse: text, placeholder: 'FILE' } as const;

export const command: Command = defineCommand<Flags, []>({
  description:
    'Adds two layers to the image: one takes the loose kernel and initramfs away and signs systemd-boot, one brings ' +
    'the signed UKI in /boot/EFI/Linux. Its command line names the resulting file tree by composefs digest.',
  flags: {
    ...sealFlags,
    to: { ...imageFlag, brief: 'where the sealed image goes' },
    key: { ...file, brief: 'private key for Secure Boot (PEM)' },
    cert: { ...file, brief: 'its certificate (PEM or DER)' },
    addcert: {
      ...file,
      optional: true,
      variadic: true,
      brief: 'certificate to embed beside it',
    },
    passphraseFile: { ...file, optional: true, brief: 'passphrase of the key, on the first line' },
    ...ukiFlags,
    embedDump,
    dryRun,
  },
  args: [],
  async run(context, flags) {
    const { sealImage } = await import('../../seal/seal.ts');
    const { openDestination } = await import('../../stores/open.ts');
    const to = parseImageName(flags.to);
    const { additionalKargs, dryRun, embedDump, platform } = flags;
    const key = await readSecureBootKey(context, flags);
    const source = await openBase(flags, context);
    try {
      const result = await sealImage(
        {
          source,
          key,
          embedDump,
          dryRun,
          ...(platform && { platform }),
          ...(additionalKargs !== undefined && { additionalKargs }),
          ...(await chosenStub(flags, context)),
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
