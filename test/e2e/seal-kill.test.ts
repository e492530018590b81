/** A seal that is killed leaves the destination as it was, or complete; the next one succeeds and gives the same image. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { bootableImage, KERNEL_VERSION } from '../support/bootable.ts';
import { makeImage, putImage, readImage } from '../support/test-image.ts';
import { vectorPath } from '../support/uki-vectors.ts';

/** The program compiled beside this test. */
const PROGRAM = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
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

/** Milliseconds that sealing takes, or undefined when it was killed before it ended. */
async function sealFor(to: string, limit: number): Promise<number | undefined> {
  const key = ['--key', vectorPath('keys/rsa2048.key'), '--cert', vectorPath('keys/rsa2048.pem')];
  const args = [
    'seal',
    '--quiet',
    '--insecure-policy',
    '--platform',
    'linux/amd64',
    '--from',
    base,
    '--to',
    to,
    ...key,
  ];
  const started = performance.now();
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: limit,
    killSignal: 'SIGKILL',
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status === null) return undefined;
  assert.equal(status, 0);
  return performance.now() - started;
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
