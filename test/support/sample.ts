/** The sample image of `scripts/sample-image.mjs`, made once per checkout. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findInTar, readImage } from './layout.ts';
import { projectRoot } from './project.ts';

export const SAMPLE_TAG = 'latest';

/** Folder of an OCI layout with the sample under {@link SAMPLE_TAG}. For reading only: tests share it. */
export function sampleLayout(): string {
  const layout = join(projectRoot(), '.build', 'sample');
  if (!isCurrent(join(layout, 'index.json'))) {
    const script = join(projectRoot(), 'scripts', 'sample-image.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, `oci:${layout}:${SAMPLE_TAG}`], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`scripts/sample-image.mjs: exit ${status}\n${stderr}`);
  }
  return layout;
}

/** `oci:…` name of the sample. */
export function sampleName(): string {
  return `oci:${sampleLayout()}:${SAMPLE_TAG}`;
}

/** Newer than the scripts that make it. */
function isCurrent(index: string): boolean {
  if (!existsSync(index)) return false;
  const made = statSync(index).mtimeMs;
  const folder = join(projectRoot(), 'scripts', 'lib', 'sample');
  return readdirSync(folder).every((name) => statSync(join(folder, name)).mtimeMs < made);
}

/** A file of an image in an OCI layout, from the topmost layer that has it. */
export function imageFile(layout: string, tag: string, path: string): Uint8Array {
  for (const tar of readImage(layout, tag).layers.toReversed()) {
    const place = tryFind(tar, path);
    if (place) return tar.subarray(place.start, place.start + place.size);
  }
  throw new Error(`no ${path} in ${layout}:${tag}`);
}

/** The kernel version that the sample's title layer names: what lies below `usr/lib/modules`. */
export function kernelVersion(layout: string, tag: string): string {
  const { config } = readImage(layout, tag);
  const runtime = config['config'] as { Labels: Record<string, string> };
  return runtime.Labels['org.opencontainers.image.version'];
}

function tryFind(tar: Uint8Array, path: string): { start: number; size: number } | undefined {
  try {
    return findInTar(tar, path);
  } catch {
    return undefined;
  }
}
