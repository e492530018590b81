/** Options of `sign`: which keys, which forms, one image or a list of them. */
import type { FlagParametersForType } from '@stricli/core';
import { SIGNATURE_FORMS, type SignatureForm } from '../sign/acceptance.ts';
import type { SigstorePrivateKey } from '../formats/cosign/private-key.ts';
import type { SimpleSigner } from '../sign/sign-forms.ts';
import type { SignOptions } from '../sign/sign-manifest.ts';
import type { SimpleSignerRequest } from '../sign/simple-signer.ts';
import type { BootsealError } from '../errors.ts';
import { text, usageError } from './command.ts';
import type { CliContext } from './context.ts';
import { transportFlags, type TransportFlags } from './transport-flags.ts';
import { packageVersion } from './version.ts';

export interface SignFlags extends TransportFlags {
  readonly signBySigstorePrivateKey?: string;
  readonly key?: string;
  readonly signBy?: string;
  readonly signPassphraseFile?: string;
  readonly signIdentity?: string;
  readonly format?: readonly SignatureForm[];
  readonly 'registries.d'?: string;
  readonly all: boolean;
  readonly dryRun: boolean;
  readonly replaceKey?: string;
  readonly keepOld: boolean;
  readonly imagesFrom?: string;
}

const file = { kind: 'parsed', parse: text, optional: true, placeholder: 'FILE' } as const;
const flag = { kind: 'boolean', default: false, withNegated: false } as const;

export const signFlags: FlagParametersForType<SignFlags> = {
  signBySigstorePrivateKey: { ...file, brief: 'encrypted private key, made by bootseal, skopeo or cosign' },
  key: { ...file, brief: 'the same, as cosign spells it' },
  signBy: { ...file, placeholder: 'FINGERPRINT', brief: 'make a simple signature with this key of your gpg' },
  signPassphraseFile: { ...file, brief: 'its first line is the passphrase; otherwise it is asked for' },
  signIdentity: { ...file, placeholder: 'REFERENCE', brief: 'name to sign instead of the image’s own' },
  format: {
    kind: 'parsed',
    parse: parseForms,
    optional: true,
    placeholder: 'LIST',
    brief:
      'attachment (podman, skopeo, bootc, cosign 2), bundle (cosign 3), or both: attachment,bundle (default)',
  },
  'registries.d': {
    ...file,
    placeholder: 'DIR',
    brief: 'where simple signatures are kept, and what the warning is about',
  },
  all: { ...flag, brief: 'sign every instance of an index too' },
  dryRun: { ...flag, brief: 'tell what would be signed' },
  replaceKey: {
    ...file,
    brief:
      'public key whose signatures are made again with the new key, and then taken away; may name many images',
  },
  keepOld: { ...flag, brief: 'with --replace-key: add the new signatures, leave the old' },
  imagesFrom: { ...file, brief: 'with --replace-key: further images, one a line; - for standard input' },
  ...transportFlags,
};

function parseForms(input: string): readonly SignatureForm[] {
  const forms = input.split(',').map((word) => {
    const form = SIGNATURE_FORMS.find((known) => known === word);
    if (form === undefined || form === 'simple') {
      throw usageError(
        `no signature format ${word}`,
        'one of attachment, bundle, or both: attachment,bundle',
      );
    }
    return form;
  });
  return [...new Set(forms)];
}

/** What is made: as `--format` says for the sigstore key, and a simple signature for the key of gpg. */
export function formsOf(flags: SignFlags): readonly SignatureForm[] {
  const { format, key, signBySigstorePrivateKey, signBy, signPassphraseFile } = flags;
  const hasKey = key !== undefined || signBySigstorePrivateKey !== undefined;
  if (hasKey && signBy !== undefined && signPassphraseFile !== undefined) throw twoKeysOnePassphrase();
  if (format !== undefined && !hasKey) throw usageError('--format is for a sigstore key');
  const sigstore = hasKey || signBy === undefined ? (format ?? (['attachment', 'bundle'] as const)) : [];
  return signBy === undefined ? sigstore : [...sigstore, 'simple'];
}

/** The key of gpg, with what it is to sign; undefined where none is named. */
export async function simpleSignerOf(
  context: CliContext,
  flags: SignFlags,
  request: Omit<SimpleSignerRequest, 'env'>,
): Promise<SimpleSigner | undefined> {
  const { signBy: key, signPassphraseFile: passphraseFile } = flags;
  if (key === undefined) return undefined;
  const [{ openGpgKey }, { simpleSigner }] = await Promise.all([
    import('../sign/gpg-signer.ts'),
    import('../sign/simple-signer.ts'),
  ]);
  const { env, signal } = context;
  const opened = await openGpgKey(
    { key, ...(passphraseFile !== undefined && { passphraseFile }) },
    { env, signal },
  );
  return simpleSigner(opened, { ...request, env });
}

/** Asks for the passphrase where the key has one and no file holds it. */
export async function keyOf(context: CliContext, flags: SignFlags): Promise<SigstorePrivateKey> {
  const { key, signBySigstorePrivateKey, signPassphraseFile: passphraseFile } = flags;
  if (key !== undefined && signBySigstorePrivateKey !== undefined) {
    throw usageError('--key and --sign-by-sigstore-private-key mean the same: give one');
  }
  const keyFile = key ?? signBySigstorePrivateKey;
  if (keyFile === undefined) {
    throw usageError('name the key: --sign-by-sigstore-private-key FILE, or --sign-by FINGERPRINT');
  }
  const { loadPrivateKey } = await import('../sign/private-key-file.ts');
  const request = { keyFile, ...(passphraseFile !== undefined && { passphraseFile }) };
  return loadPrivateKey(request, (question) => context.askSecret(question));
}

/** In skopeo's words. */
export function twoKeysOnePassphrase(): BootsealError {
  return usageError(
    'Only one of --sign-by and --sign-by-sigstore-private-key can be used with --sign-passphrase-file',
    'give the file to one of them, and sign with the other key in a second call: signatures are added',
  );
}

/** What is recorded in signatures; the time is SOURCE_DATE_EPOCH where a build must give the same bytes again. */
export function signOptions({ env }: CliContext): Required<SignOptions> {
  const epoch = env['SOURCE_DATE_EPOCH'];
  const given = epoch !== undefined && /^\d{1,11}$/.test(epoch);
  const timestamp = given ? Number(epoch) : Math.floor(Date.now() / 1000);
  return { creator: `bootseal ${packageVersion()}`, timestamp };
}

/** Those of the arguments, and those of the file; comment lines begin with `#`. */
export async function imagesOf(
  images: readonly string[],
  from: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (from === undefined) return images;
  const { readSmallFile } = await import('../stores/trust-files/read-file.ts');
  const path = from === '-' ? '/dev/stdin' : from;
  const bytes = await readSmallFile(path, { maxSize: MAX_LIST, code: 'file/unreadable', shown: from });
  signal.throwIfAborted();
  const lines = Buffer.from(bytes).toString('utf8').split(/\r?\n/);
  return [
    ...images,
    ...lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#')),
  ];
}

/** Bytes: some ten thousand images. */
const MAX_LIST = 4 * 1024 * 1024;
