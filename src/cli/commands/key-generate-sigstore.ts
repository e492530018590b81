/** `bootseal key generate sigstore`: a key pair for signing, as skopeo and cosign use it. */
import { encodeUtf8 } from '../../bytes/bytes.ts';
import { defineCommand, text, usageError, type Command } from '../command.ts';
import type { CliContext } from '../context.ts';
import type { KeyType } from '../../sign/generate-sigstore-key.ts';

interface Flags {
  readonly outputPrefix: string;
  readonly passphraseFile?: string;
  readonly keyType: KeyType;
}

export const command: Command = defineCommand<Flags, []>({
  description:
    'Writes PREFIX.private (encrypted, mode 0600) and PREFIX.pub: ECDSA P-256, with which every tool signs and ' +
    'verifies alike, unless --key-type says otherwise. The passphrase may be empty; it is then no protection at all. Existing files are never replaced.',
  flags: {
    outputPrefix: {
      kind: 'parsed',
      parse: text,
      placeholder: 'PREFIX',
      brief: 'path and name of the files without .private and .pub',
    },
    passphraseFile: {
      kind: 'parsed',
      parse: text,
      optional: true,
      placeholder: 'FILE',
      brief: 'its first line is the passphrase; otherwise it is asked for',
    },
    keyType: {
      kind: 'enum',
      values: ['p256', 'p384', 'p521', 'rsa2048', 'rsa4096', 'ed25519'],
      default: 'p256',
      brief: 'kind of key; what cosign signs with p384, p521 or ed25519, podman refuses',
    },
  },
  args: [],
  async run(context, flags) {
    const [{ generateSigstoreKey }, { readPassphraseFile }] = await Promise.all([
      import('../../sign/generate-sigstore-key.ts'),
      import('../../sign/private-key-file.ts'),
    ]);
    const passphrase =
      flags.passphraseFile === undefined
        ? await askTwice(context)
        : await readPassphraseFile(flags.passphraseFile);
    const key = await generateSigstoreKey({
      outputPrefix: flags.outputPrefix,
      passphrase,
      keyType: flags.keyType,
    });
    const { steps, ...made } = key;
    return {
      ok: true,
      verdict: {
        word: 'made',
        subject: key.fingerprint,
        facts: [
          { label: 'private', value: `${key.privateKeyFile}  (keep it secret, and keep a copy)` },
          { label: 'public', value: `${key.publicKeyFile}  (for policies: bootseal trust init)` },
        ],
      },
      steps,
      json: { ...made },
    };
  },
});

async function askTwice(context: CliContext): Promise<Uint8Array> {
  const first = await context.askSecret('Passphrase for the new key (empty for none): ');
  const second = await context.askSecret('The same again: ');
  if (first !== second) throw usageError('the two passphrases differ');
  return encodeUtf8(first);
}
