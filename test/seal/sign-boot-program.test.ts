import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { signBootProgram } from '../../src/seal/sign-boot-program.ts';
import { verifyBootProgram } from '../../src/verify/verify-boot-program.ts';
import { testSigner } from '../support/signer.ts';
import { vectorPath } from '../support/uki-vectors.ts';

let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'bootseal-sign-'))));
after(() => rm(folder, { recursive: true, force: true }));

describe('uki sign', () => {
  const key = testSigner();

  it('signs UKIs, and says when the key is for tests only', async () => {
    const output = join(folder, 'signed.efi');
    const result = await signBootProgram({ ...key, input: vectorPath('s-uki.efi'), output });
    assert.equal(result.signatures, 1);
    assert.equal(result.testKey, true);
    const trusted = await verifyBootProgram({ file: output, certificates: [vectorPath('keys/rsa2048.pem')] });
    assert.ok(trusted.verdict.accepted);
    assert.deepEqual(
      trusted.steps.map(({ id, state }) => [id, state]),
      [
        ['signature-1', 'passed'],
        ['closed', 'warning'],
      ],
    );
    const other = await verifyBootProgram({ file: output, certificates: [vectorPath('keys/other.pem')] });
    assert.deepEqual(
      other.steps.map(({ id, code }) => [id, code]),
      [
        ['signature-1', 'authenticode/untrusted-signer'],
        ['closed', 'uki/open'],
      ],
    );
  });

  it('uki-sign-any: refuses programs that may start anything, unless told', async () => {
    const request = { ...key, input: vectorPath('k-x64.efi'), output: join(folder, 'kernel.efi') };
    await assert.rejects(signBootProgram(request), { code: 'sign/not-a-boot-program', exit: 2 });
    await assert.rejects(stat(request.output));
    assert.equal((await signBootProgram({ ...request, anyProgram: true })).signatures, 1);
  });

  it('leaves nothing behind when it fails', async () => {
    const output = join(folder, 'never.efi');
    const names = await readdir(folder);
    await assert.rejects(signBootProgram({ ...key, input: vectorPath('bad-gap.efi'), output }), {
      code: 'pe/gap',
    });
    const other = testSigner('rsa3072');
    const mixed = { signer: other.signer, certificates: key.certificates };
    await assert.rejects(signBootProgram({ ...mixed, input: vectorPath('s-uki.efi'), output }), {
      code: 'authenticode/key-mismatch',
    });
    assert.deepEqual(await readdir(folder), names);
  });
});
