/** Reads the OCI layouts among the test vectors, through the real store. */
import { readFileSync } from 'node:fs';
import { treeFromLayers, type FromLayersOptions } from '../../src/composefs/from-layers.ts';
import { inlineHashPool } from '../../src/formats/fsverity/inline-hash-pool.ts';
import type { Tree } from '../../src/composefs/tree.ts';
import { isBootsealError, type BootsealError } from '../../src/errors.ts';
import type { VerityAlgorithm } from '../../src/formats/fsverity/format.ts';
import { loadImage } from '../../src/stores/load-image.ts';
import { openSource } from '../../src/stores/open.ts';
import { zstdDecoder } from '../../src/stores/zstd/decoder.ts';
import { vectorPath } from './project.ts';

export const BOTH: readonly VerityAlgorithm[] = ['sha256', 'sha512'];

export function readVectors(...path: readonly string[]): unknown {
  return JSON.parse(readFileSync(vectorPath(...path), 'utf8'));
}

/** The tree of one image of a layout of vectors, with digests of both kinds. */
export async function readVectorTree(
  folder: string,
  image: string,
  options: Partial<FromLayersOptions> = {},
): Promise<Tree> {
  const source = await openSource({ transport: 'oci', path: vectorPath(folder, 'oci'), image });
  try {
    const { layers } = await loadImage(source, { os: 'linux', architecture: 'amd64' });
    const ports = { hashPool: inlineHashPool(BOTH), zstd: zstdDecoder() };
    return await treeFromLayers(layers, { algorithms: BOTH, ports, ...options });
  } finally {
    await source.close();
  }
}

/** The result, or the refusal. Anything but a BootsealError is a failure of the test. */
export function attempt<T>(action: () => T): T | BootsealError {
  try {
    return action();
  } catch (error) {
    if (isBootsealError(error)) return error;
    throw error;
  }
}

export async function attemptAsync<T>(action: () => Promise<T>): Promise<T | BootsealError> {
  try {
    return await action();
  } catch (error) {
    if (isBootsealError(error)) return error;
    throw error;
  }
}
