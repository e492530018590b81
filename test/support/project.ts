/** Paths of the checkout, wherever the compiled test runs from. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds bootseal's own package.json. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && readFileSync(manifest, 'utf8').includes('"name": "bootseal"')) return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error('bootseal package.json not found above the test');
    folder = parent;
  }
}

export function vectorPath(...parts: readonly string[]): string {
  return join(projectRoot(), 'test', 'vectors', ...parts);
}
