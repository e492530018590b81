/** A seal that is killed leaves the destination as it was, or complete; the next one succeeds and gives the same image. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runFor } from '../support/kill.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { bootableImage, KERNEL_VERSION } from '../support/bootable.ts';
import { makeImage, putImage, readImage } from '../support/test-image.ts';
import { vectorPath } from '../support/uki-vectors.ts';

const ROUNDS = 3;

const folder = mkdtempSync(join(tmpdir(), 'bootseal-seal-kill-'));
const base = `oci:${join(folder, 'base')}:1`;
const older = makeImage([randomBytes(1000)]);
let registry: TestRegistry;

before(async () => {
  registry = await startRegistry();
  const initramfs = randomBytes(24 * 1024 * 1024);
  await putImage(base, bootableImage({ [`usr/lib/modules/${KERNEL_VERSION}/initramfs.img`]: initramfs }));
});
after(async () => {
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

function sealFor(to: string, limit: number): Promise<number | undefined> {
  const key = ['--key', vectorPath('keys/rsa2048.key'), '--cert', vectorPath('keys/rsa2048.pem')];
  const options = ['--quiet', '--insecure-policy', '--platform', 'linux/amd64'];
  return runFor(['seal', ...options, '--from', base, '--to', to, ...key], limit);
}

const destinations = {
  oci: (name: string): string => `oci:${join(folder, name)}:1`,
  'oci-archive': (name: string): string => `oci-archive:${join(folder, name)}.tar:1`,
  docker: (name: string): string => `docker://${registry.host}/${name}:1`,
};

for (const [transport, nameFor] of Object.entries(destinations)) {
  describe(`seal killed while writing ${transport}`, () => {
    it('shows the old image or the sealed one, whole', async () => {
      const whole = await sealFor(nameFor('whole'), 60_000);
      assert.ok(whole !== undefined);
      const sealed = await readImage(nameFor('whole'));
      let killed = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        const name = nameFor(`round-${round}`);
        await putImage(name, older);
        if ((await sealFor(name, Math.round(whole * (0.4 + 0.2 * round)))) === undefined) killed += 1;
        const digest = await readImage(name);
        assert.ok(digest === older.manifest.digest || digest === sealed);
        assert.ok((await sealFor(name, 60_000)) !== undefined);
        assert.equal(await readImage(name), sealed);
      }
      assert.ok(killed > 0, 'nothing was killed');
    });
  });
}
