/** A registry, keys of ours and of podman's gpg, and podman beside them: does it say what we say? */
import assert from 'node:assert/strict';
import { isBootsealError } from '../../src/errors.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { openGpgKey } from '../../src/sign/gpg-signer.ts';
import { signImage, type SignRequest } from '../../src/sign/sign.ts';
import { simpleSigner } from '../../src/sign/simple-signer.ts';
import { loadRegistriesConfig } from '../../src/stores/trust-files/registries-d.ts';
import type { PolicyTool } from '../../src/verify/as-tool.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { makeGpgHome, type GpgHome } from './gpg.ts';
import { peerOk } from './peers.ts';
import { makePodman, type Podman } from './podman.ts';
import { vectorPath } from './project.ts';
import { startRegistry } from './registry.ts';
import { dockerName, makeWorkshop, type TestKey, type Workshop } from './signing.ts';

export interface Verdict {
  readonly allowed: boolean;
  readonly message?: string;
  /** Digest of the configuration of what was judged: podman's ID for the image. */
  readonly id?: string;
}

export interface Asked {
  readonly as?: PolicyTool;
  readonly architecture?: string;
}

export interface PodmanKit {
  readonly workshop: Workshop;
  readonly podman: Podman;
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Folder of the look-aside store. */
  readonly lookaside: string;
  /** The gpg that bootseal calls, and the one that podman calls; each with a key. */
  readonly ours: GpgHome;
  readonly theirs: GpgHome;
  readonly ourKey: string;
  readonly theirKey: string;
  readonly key: TestKey;
  readonly stranger: TestKey;
  /** With the registry before it, unless it names a transport. */
  nameOf(image: string): string;
  /** Puts a recorded image (`multi`: an index of amd64 and arm64) there, unsigned. */
  put(image: string, from?: string): void;
  /** Signs it with `key`, or another one, in an attachment. */
  attach(image: string, request?: Partial<SignRequest>, signer?: TestKey): Promise<void>;
  /** Signs it with `ourKey` in the look-aside store. */
  signAside(image: string, request?: Partial<SignRequest>): Promise<void>;
  /** File of a policy that wants this of the registry, and rejects the rest. */
  wanting(...requirements: readonly object[]): string;
  /** `bootseal verify --as podman`; without a policy file, the one of the home. A policy that cannot be read is a no. */
  verdictOf(image: string, policyFile?: string, asked?: Asked): Promise<Verdict>;
  /** `podman pull` and we say the same, a refusal in the same words, of the same image; returns what. */
  agree(image: string, policyFile?: string, asked?: Asked): Promise<boolean>;
  stop(): Promise<void>;
}

export const sigstore = (publicFile: string, signedIdentity?: object): object => ({
  type: 'sigstoreSigned',
  keyPath: publicFile,
  ...(signedIdentity && { signedIdentity }),
});
export const signedBy = (keyPath: string, signedIdentity?: object): object => ({
  type: 'signedBy',
  keyType: 'GPGKeys',
  keyPath,
  ...(signedIdentity && { signedIdentity }),
});

const hasTransport = /^(?:oci|dir|containers-storage):/;

export async function startPodmanKit(): Promise<PodmanKit> {
  const workshop = makeWorkshop();
  const lookaside = workshop.path('lookaside');
  const registry = await startRegistry();
  const ours = makeGpgHome('user');
  const theirs = makeGpgHome('peer');
  const ourKey = ours.makeKey('ours');
  const theirKey = theirs.makeKey('theirs');
  const key = await workshop.makeKey('ours', 'open sesame');
  const stranger = await workshop.makeKey('stranger');
  const podman = makePodman(workshop.folder, registry.host, lookaside, theirs.env);

  const nameOf = (image: string): string => (hasTransport.test(image) ? image : `${registry.host}/${image}`);
  const place = (image: string): ReturnType<typeof dockerName> => dockerName(nameOf(image));

  function put(image: string, from = 'app'): void {
    const target = hasTransport.test(image) ? image : `docker://${nameOf(image)}`;
    const source = `dir:${vectorPath('policy', 'images', from)}`;
    peerOk('skopeo', ['--insecure-policy', 'copy', '--all', '--dest-tls-verify=false', source, target]);
  }

  async function attach(image: string, request: Partial<SignRequest> = {}, signer = key): Promise<void> {
    await signImage({ image: place(image), ...request }, { key: signer.key });
  }

  async function signAside(image: string, request: Partial<SignRequest> = {}): Promise<void> {
    const registries = await loadRegistriesConfig({ directory: podman.registriesDirectory });
    const gpg = await openGpgKey({ key: ourKey }, { env: { ...process.env, ...ours.env } });
    const simple = simpleSigner(gpg, { repository: place(image).reference, registries });
    await signImage({ image: place(image), forms: ['simple'], ...request }, { simple, registries });
  }

  const wanting = (...requirements: readonly object[]): string =>
    workshop.policy({ [registry.host]: requirements });

  async function verdictOf(
    image: string,
    policyFile?: string,
    { as = 'podman', architecture = 'amd64' }: Asked = {},
  ): Promise<Verdict> {
    const platform = { os: 'linux', architecture };
    const parsed = hasTransport.test(image) ? parseImageName(image) : place(image);
    const request = { image: parsed, as, platform, ...(policyFile !== undefined && { policyFile }) };
    try {
      const result = await verifyImage(request, { env: { ...process.env, HOME: podman.home } });
      const manifest = JSON.parse(Buffer.from(result.images[0].bytes).toString()) as {
        config?: { digest: string };
      };
      const id = manifest.config?.digest.replace('sha256:', '');
      return {
        allowed: result.allowed,
        ...(result.message && { message: result.message }),
        ...(id && { id }),
      };
    } catch (error) {
      assert(isBootsealError(error), String(error));
      return { allowed: false, message: error.message };
    }
  }

  async function agree(image: string, policy?: string, asked: Asked = {}): Promise<boolean> {
    const { allowed, message = '', id } = await verdictOf(image, policy, asked);
    const options = ['--quiet', '--tls-verify=false', '--arch', asked.architecture ?? 'amd64'];
    if (policy !== undefined) options.push('--signature-policy', policy);
    const pulled = podman.run('pull', ...options, nameOf(image));
    assert.equal(pulled.status, allowed ? 0 : 125, `${image}: ${message}\n${pulled.stderr}`);
    if (allowed) assert.equal(pulled.stdout.trim(), id, 'podman took the image that was judged');
    else assert.ok(pulled.stderr.includes(sayable(message)), `${pulled.stderr}\n${message}`);
    return allowed;
  }

  return {
    workshop,
    podman,
    host: registry.host,
    lookaside,
    ours,
    theirs,
    ourKey,
    theirKey,
    key,
    stranger,
    nameOf,
    put,
    attach,
    signAside,
    wanting,
    verdictOf,
    agree,
    async stop() {
      await registry.stop();
      ours.remove();
      theirs.remove();
      workshop.remove();
    },
  };
}

/** podman does not say what it loads, and of a bad OpenPGP signature prints a structure of its library. */
function sayable(message: string): string {
  return message
    .replace(/^Error loading trust policy: /, '')
    .replace(/(?<=Invalid GPG signature: )[^]*$/, '');
}
