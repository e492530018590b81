/** Our digests of the sample image are those of the two real implementations. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { cfsctlPath, peerOk } from '../support/peers.ts';
import { bootsealOk } from '../support/run-cli.ts';
import { sampleName } from '../support/sample.ts';

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-oracle-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** `bootseal digest`, without the newline. */
async function digest(...options: readonly string[]): Promise<string> {
  const { stdout } = await bootsealOk(['digest', ...options, sampleName()]);
  return stdout.trim();
}

describe('composefs-rs (cfsctl)', () => {
  for (const hash of ['sha512', 'sha256'] as const) {
    it(`gives the same ${hash} digests, plain and for booting, in every format`, async () => {
      const repository = join(folder, hash);
      const cfsctl = (...args: readonly string[]) =>
        peerOk(cfsctlPath(), ['--repo', repository, ...args]).stdout.trim();
      cfsctl('init', '--insecure', '--algorithm', `fsverity-${hash}-12`);
      cfsctl('oci', 'pull', sampleName(), 'sample');
      for (const version of ['0', '1', '2']) {
        const ours = ['--hash', hash, '--erofs', `v${version}`];
        const theirs = ['--erofs-version', version, 'oci', 'compute-id', 'sample'];
        assert.equal(await digest(...ours), cfsctl(...theirs, '--bootable'), `V${version}`);
        assert.equal(await digest(...ours, '--plain'), cfsctl(...theirs), `V${version} plain`);
      }
    });
  }

  it('is what bootc prints: V1, SHA-512, without any option', async () => {
    assert.equal(await digest(), await digest('--erofs', 'v1', '--hash', 'sha512'));
  });
});

describe('composefs (mkcomposefs)', () => {
  it('makes an image of the same digest from our dump', async () => {
    const dump = join(folder, 'sample.dump');
    const ours = await digest('--hash', 'sha256', '--erofs', 'v1', '--dump', dump);
    const options = ['--from-file', '--print-digest-only', '--min-version=1', '--max-version=1'];
    assert.equal(peerOk('mkcomposefs', [...options, dump]).stdout.trim(), ours);
  });
});
