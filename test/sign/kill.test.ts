/** A signer that is killed at any moment leaves the image unsigned or signed, and the next one finishes the work. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { signImage } from '../../src/sign/sign.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { startVectorRegistry } from '../support/policy-vectors.ts';
import type { TestRegistry } from '../support/registry.ts';
import { dockerName, makeWorkshop, type TestKey } from '../support/signing.ts';

const PROGRAM = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const IMAGES = ['a/b/c/d:v1', 'library/busybox:v1', 'org/app:v1', 'org/other:v1', 'team/app:v1'];
/** Milliseconds before the end of an undisturbed run: the registry is talked to in the last third. */
const BEFORE_END = [160, 120, 80, 40, 10];

const workshop = makeWorkshop();
let registry: TestRegistry;
let key: TestKey;
before(async () => {
  registry = await startVectorRegistry();
  key = await workshop.makeKey('key', '');
});
after(async () => {
  await registry.stop();
  workshop.remove();
});

interface Run {
  readonly milliseconds: number;
  readonly killed: boolean;
}

async function signAndKill(image: string, delay: number): Promise<Run> {
  const args = ['sign', '--sign-by-sigstore-private-key', key.privateFile, `${registry.host}/${image}`];
  const started = performance.now();
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: 'ignore' });
  const ended = new Promise<boolean>((resolve) => child.once('close', (code) => resolve(code === null)));
  const timer = setTimeout(() => child.kill('SIGKILL'), delay);
  const killed = await ended;
  clearTimeout(timer);
  return { milliseconds: performance.now() - started, killed };
}

test('killed at any moment, then signed again', async () => {
  const { milliseconds } = await signAndKill('org/multi:v1', 60_000);
  const policyFile = workshop.policy({
    [registry.host]: [{ type: 'sigstoreSigned', keyPath: key.publicFile }],
  });
  const registriesDirectory = workshop.registries(registry.host);
  let kills = 0;
  for (const [at, name] of IMAGES.entries()) {
    const image = dockerName(`${registry.host}/${name}`);
    const { killed } = await signAndKill(name, Math.max(50, milliseconds - 100 - BEFORE_END[at]));
    if (killed) kills += 1;
    // What a request had begun may still be on its way through the registry.
    await sleep(50);
    const cut = await verifyImage({ image, policyFile, registriesDirectory });
    if (!cut.allowed) assert.equal(cut.reasonCode, 'trust/no-signature');
    const { manifests } = await signImage({ image }, { key: key.key });
    assert.equal(manifests[0].state, cut.allowed ? 'already-signed' : 'signed');
    assert((await verifyImage({ image, policyFile, registriesDirectory })).allowed);
  }
  assert(kills > 0, 'no run was killed');
});
