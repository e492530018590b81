/**
 * Several images in one call: policy, registries.d and keys are read once, and images of one registry share its
 * connections. Each has a verdict of its own, or the error that prevented one.
 */
import { setMaxListeners } from 'node:events';
import { isBootsealError, type BootsealError, type ExitStatus } from '../errors.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import { openSession } from '../stores/session.ts';
import { keyFiles } from '../stores/trust-files/key-files.ts';
import { loadRegistriesConfig } from '../stores/trust-files/registries-d.ts';
import type { KeyReader } from '../trust/ports.ts';
import {
  loadTrustPolicy,
  verifyImage,
  type VerifyPorts,
  type VerifyRequest,
  type VerifyResult,
} from './verify.ts';

export type VerifyManyRequest = Omit<VerifyRequest, 'image'>;

export type ManyResult =
  | { readonly image: ImageName; readonly result: VerifyResult }
  | { readonly image: ImageName; readonly error: BootsealError };

/** Images at a time: enough to keep a registry busy, few enough to be a guest. */
const PARALLEL = 8;

/** In the order of the names. Throws what reading policy.json and registries.d throws, and what is no BootsealError. */
export async function verifyImages(
  images: readonly ImageName[],
  request: VerifyManyRequest,
  ports: VerifyPorts = {},
  onResult: (result: ManyResult) => void = () => undefined,
): Promise<readonly ManyResult[]> {
  const env = ports.env ?? process.env;
  const { registriesDirectory: directory } = request;
  // Each request listens for the interrupt; many at a time are no leak.
  if (ports.transport?.signal !== undefined) setMaxListeners(0, ports.transport.signal);
  const own = ports.transport?.session === undefined ? openSession() : undefined;
  const shared: VerifyPorts = {
    ...ports,
    policy: ports.policy ?? (await loadTrustPolicy(request, env)),
    registries:
      ports.registries ??
      (await loadRegistriesConfig({ env, ...(directory !== undefined && { directory }) })),
    keys: readOnce(ports.keys ?? keyFiles()),
    transport: { ...ports.transport, ...(own && { session: own }) },
  };
  const results: ManyResult[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < images.length) {
      const at = next++;
      const judged = await judgeOne({ ...request, image: images[at] }, shared);
      results[at] = judged;
      onResult(judged);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(PARALLEL, images.length) }, worker));
    return results;
  } finally {
    await own?.close();
  }
}

async function judgeOne(request: VerifyRequest, ports: VerifyPorts): Promise<ManyResult> {
  const { image } = request;
  try {
    return { image, result: await verifyImage(request, ports) };
  } catch (error) {
    // An interrupt is no verdict on the images that were left.
    if (!isBootsealError(error) || ports.transport?.signal?.aborted === true) throw error;
    return { image, error };
  }
}

/** Within one call a key file is the same for every image. */
function readOnce(reader: KeyReader): KeyReader {
  const files = new Map<string, Promise<Uint8Array>>();
  return {
    read(path, maxSize) {
      const key = `${maxSize ?? ''} ${path}`;
      let reading = files.get(key);
      if (reading === undefined) {
        reading = reader.read(path, maxSize);
        files.set(key, reading);
      }
      return reading;
    },
  };
}

/** 1 where one was refused; else 3 where one could not be judged; else 0. */
export function exitOfMany(results: readonly ManyResult[]): 0 | ExitStatus {
  const exits = results.map((each) =>
    'error' in each ? each.error.exit : each.result.allowed ? 0 : (1 as const),
  );
  if (exits.includes(1)) return 1;
  return exits.some((exit) => exit !== 0) ? 3 : 0;
}
