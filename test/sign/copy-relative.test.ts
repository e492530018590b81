/** Names of files are most often relative to where one stands: `oci:build:10`. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { bootseal } from '../support/run-cli.ts';
import { vectorPath } from '../support/project.ts';

const folder = mkdtempSync(join(tmpdir(), 'bootseal-relative-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const from = `oci:${vectorPath('oci-digest', 'oci')}:type.1`;

describe('copy to a relative name', () => {
  for (const to of ['oci:a:1', 'oci:b/c/d:1', './e', 'oci-archive:f.tar:1', 'dir:g']) {
    const name = to.startsWith('.') ? `oci:${to}:1` : to;
    it(name, async () => {
      const args = ['copy', '--insecure-policy', from, name];
      const { status, stdout, stderr } = await bootseal(args, { cwd: folder, timeout: 20_000 });
      assert.equal(status, 0, stdout + stderr);
      const [path] = name.slice(name.indexOf(':') + 1).split(':');
      assert.ok(existsSync(join(folder, path)));
    });
  }

  it('takes back the folders it made when it fails', async () => {
    const before = readdirSync(folder);
    const args = ['copy', '--insecure-policy', 'oci:missing:1', 'oci:h/i:1'];
    const { status } = await bootseal(args, { cwd: folder, timeout: 20_000 });
    assert.equal(status, 3);
    assert.deepEqual(readdirSync(folder), before);
  });
});
