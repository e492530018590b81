/** What a host runs, and what it ran before: one small file, replaced whole. */
import { join } from 'node:path';
import { decodeUtf8, encodeUtf8 } from '../bytes/bytes.ts';
import { BootsealError, isBootsealError, withDetails } from '../errors.ts';
import { parseDigest, type Digest } from '../formats/oci/digest.ts';
import { expectObject } from '../formats/oci/descriptor.ts';
import { formatImageName, parseImageName, type ImageName } from '../formats/reference/image-name.ts';
import { writeFileAtomic } from '../stores/atomic-write.ts';
import { openRegular, readRange } from '../stores/oci-layout/files.ts';
import { readAll } from '../stores/checked-blob.ts';

export interface Deployment {
  /** The name that upgrades follow. */
  readonly image: ImageName;
  /** The image that was judged and pulled: of an index, the instance. */
  readonly digest: Digest;
  /** A requirement that checks signatures passed. False: the policy let it pass unsigned. */
  readonly verified: boolean;
  /** Fingerprint of the key, when `verified`. */
  readonly signedBy?: string;
}

export interface HostState {
  /** From now on only signed images: set once and inherited by every later change. */
  readonly enforced: boolean;
  readonly current: Deployment;
  readonly previous?: Deployment;
}

const STATE_FILE = 'state.json';
const MAX_STATE_SIZE = 64 * 1024;

/** Layout of the deployed images. */
export function imagesFolder(root: string): string {
  return join(root, 'images');
}

/** The name of a deployed image within the layout. */
export function deploymentName(digest: Digest): string {
  return digest.replace(':', '-');
}

/** Undefined where nothing was deployed yet. Throws `host/bad-state`: a state that cannot be read is never replaced. */
export async function readState(root: string): Promise<HostState | undefined> {
  const path = join(root, STATE_FILE);
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  const bytes = await readAll(
    readRange(file, 0, MAX_STATE_SIZE + 1, undefined, true),
    MAX_STATE_SIZE,
    STATE_FILE,
  );
  try {
    return parseState(bytes);
  } catch (error) {
    throw isBootsealError(error) ? withDetails(error, { where: path }) : error;
  }
}

export async function writeState(root: string, state: HostState): Promise<void> {
  await writeFileAtomic(join(root, STATE_FILE), [encodeState(state)]);
}

export function encodeState({ enforced, current, previous }: HostState): Uint8Array {
  const document = {
    version: 1,
    enforced,
    current: encodeDeployment(current),
    ...(previous && { previous: encodeDeployment(previous) }),
  };
  return encodeUtf8(`${JSON.stringify(document, undefined, 2)}\n`);
}

/** Throws `host/bad-state`, `oci/bad-digest`, `reference/…`. */
export function parseState(bytes: Uint8Array): HostState {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes) ?? '');
  } catch (cause) {
    throw bad('not JSON', cause);
  }
  const { version, enforced, current, previous } = asObject(value, 'state');
  if (version !== 1) throw bad(`version is ${JSON.stringify(version)}, not 1`);
  if (typeof enforced !== 'boolean') throw bad('enforced is not true or false');
  return {
    enforced,
    current: parseDeployment(current, 'current'),
    ...(previous !== undefined && { previous: parseDeployment(previous, 'previous') }),
  };
}

function encodeDeployment({ image, ...rest }: Deployment): object {
  return { image: formatImageName(image), ...rest };
}

function parseDeployment(value: unknown, what: string): Deployment {
  const { image, digest, verified, signedBy } = asObject(value, what);
  if (typeof image !== 'string') throw bad(`${what}.image is not a string`);
  if (typeof verified !== 'boolean') throw bad(`${what}.verified is not true or false`);
  if (signedBy !== undefined && typeof signedBy !== 'string') throw bad(`${what}.signedBy is not a string`);
  return {
    image: parseImageName(image),
    digest: parseDigest(digest, `${what}.digest`),
    verified,
    ...(signedBy !== undefined && { signedBy }),
  };
}

function asObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  try {
    return expectObject(value, what);
  } catch (cause) {
    throw bad(`${what} is not an object`, cause);
  }
}

function bad(message: string, cause?: unknown): BootsealError {
  return new BootsealError('host/bad-state', `host state: ${message}`, {
    hint: 'restore state.json from a backup, or start with an empty --root',
    ...(cause !== undefined && { cause }),
  });
}
