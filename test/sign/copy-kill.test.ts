/** A copy that is killed leaves the destination as it was, or complete; the next copy succeeds. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { copyImage } from '../../src/sign/copy.ts';
import { runFor } from '../support/kill.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { makeImage, putImage, readImage } from '../support/test-image.ts';

const older = makeImage([randomBytes(1000)]);
const newer = makeImage([randomBytes(9 * 1024 * 1024), randomBytes(20 * 1024 * 1024), randomBytes(10)]);
let folder = '';
let registry: TestRegistry;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-kill-'));
  registry = await startRegistry();
  await putImage(source(), newer);
});
after(async () => {
  await registry.stop();
  await rm(folder, { recursive: true });
});

function source(): string {
  return `oci:${join(folder, 'source')}:v1`;
}

function copyFor(to: string, limit: number): Promise<number | undefined> {
  return runFor(['copy', '--insecure-policy', '--quiet', source(), to], limit);
}

const destinations = {
  oci: (name: string): string => `oci:${join(folder, name)}:v1`,
  'oci-archive': (name: string): string => `oci-archive:${join(folder, name)}.tar:v1`,
  docker: (name: string): string => `docker://${registry.host}/${name}:v1`,
};

for (const [transport, nameFor] of Object.entries(destinations)) {
  describe(`killed while writing ${transport}`, () => {
    it('shows the old image or the new one, whole', async () => {
      await putImage(nameFor('whole'), older);
      const whole = await copyFor(nameFor('whole'), 60_000);
      assert.ok(whole !== undefined);
      const outcomes = new Set<boolean>();
      for (let round = 0; round < 5; round += 1) {
        const name = nameFor(`round-${round}`);
        await putImage(name, older);
        const finished = (await copyFor(name, Math.round(whole * (0.35 + 0.13 * round)))) !== undefined;
        const digest = await readImage(name);
        if (finished) assert.equal(digest, newer.manifest.digest);
        else assert.ok(digest === older.manifest.digest || digest === newer.manifest.digest);
        outcomes.add(finished);
        // No lock and no half file stands in the way of the next one.
        await copyImage({ from: parseImageName(source()), to: parseImageName(name) });
        assert.equal(await readImage(name), newer.manifest.digest);
      }
      assert.ok(outcomes.has(false), 'nothing was killed');
    });
  });
}
