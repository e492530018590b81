/** `bootseal --version`. */
import { readFileSync } from 'node:fs';

/** The version of the package.json above this file, at whatever depth it was built. */
export function packageVersion(): string {
  let folder = new URL('.', import.meta.url);
  for (;;) {
    const manifest = readManifest(new URL('package.json', folder));
    if (manifest?.name === 'bootseal' && manifest.version !== undefined) return manifest.version;
    const parent = new URL('..', folder);
    if (parent.href === folder.href) return 'unknown';
    folder = parent;
  }
}

export function printVersion(): number {
  process.stdout.write(`${packageVersion()}\n`);
  return 0;
}

function readManifest(file: URL): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
  } catch {
    return undefined;
  }
}
