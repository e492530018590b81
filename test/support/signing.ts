/** Keys, policies and a registry with images for tests of signing. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decryptPrivateKey, type SigstorePrivateKey } from '../../src/formats/cosign/private-key.ts';
import { parseImageName, type ImageName } from '../../src/formats/reference/image-name.ts';
import { generateSigstoreKey, type KeyType } from '../../src/sign/generate-sigstore-key.ts';
import { readFileSync } from 'node:fs';

export interface TestKey {
  readonly key: SigstorePrivateKey;
  readonly privateFile: string;
  readonly publicFile: string;
  readonly passphraseFile: string;
}

export interface Workshop {
  readonly folder: string;
  path(name: string): string;
  makeKey(name: string, passphrase?: string, keyType?: KeyType): Promise<TestKey>;
  /** policy.json that wants `docker` scopes as given and rejects the rest. */
  policy(scopes: Readonly<Record<string, readonly object[]>>): string;
  /** registries.d that reads attachments of the host. */
  registries(host: string): string;
  remove(): void;
}

export function makeWorkshop(): Workshop {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bootseal-sign-')));
  let policies = 0;
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    path,
    async makeKey(name, passphrase = 'four words of it', keyType = 'p256') {
      const passphraseFile = path(`${name}.pass`);
      writeFileSync(passphraseFile, `${passphrase}\n`);
      const bytes = Buffer.from(passphrase);
      const files = await generateSigstoreKey({ outputPrefix: path(name), passphrase: bytes, keyType });
      const key = decryptPrivateKey(readFileSync(files.privateKeyFile), bytes);
      return { key, privateFile: files.privateKeyFile, publicFile: files.publicKeyFile, passphraseFile };
    },
    policy(scopes) {
      const file = path(`policy-${++policies}.json`);
      writeFileSync(file, JSON.stringify({ default: [{ type: 'reject' }], transports: { docker: scopes } }));
      return file;
    },
    registries(host) {
      const directory = path('registries.d');
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'a.yaml'), `docker:\n  "${host}":\n    use-sigstore-attachments: true\n`);
      return directory;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

type DockerName = Extract<ImageName, { readonly transport: 'docker' }>;

export function dockerName(text: string): DockerName {
  const name = parseImageName(text);
  if (name.transport !== 'docker') throw new Error(`${text} is no docker name`);
  return name;
}
