/** Where policies, registries.d and keys are found, and what happens where they cannot be read. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { isBootsealError } from '../../../src/errors.ts';
import { keyFiles } from '../../../src/stores/trust-files/key-files.ts';
import { findPolicyFile, loadPolicy } from '../../../src/stores/trust-files/policy-file.ts';
import { findRegistriesFiles, loadRegistriesConfig } from '../../../src/stores/trust-files/registries-d.ts';
import { readSmallFile } from '../../../src/stores/trust-files/read-file.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'bootseal-trust-')));
const home = join(root, 'home');
const env = { HOME: home };
beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
});
after(() => rmSync(root, { recursive: true, force: true }));

const REJECT = '{"default":[{"type":"reject"}]}';

function write(path: string, text = REJECT): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function coded(code: string): (error: unknown) => boolean {
  return (error) => isBootsealError(error) && error.code === code && error.exit === 3;
}

test('the first policy.json that exists counts', async () => {
  await assert.rejects(findPolicyFile({ env, root }), coded('policy/not-found'));
  const share = write('usr/share/containers/policy.json');
  assert.equal(await findPolicyFile({ env, root }), share);
  const etc = write('etc/containers/policy.json');
  assert.equal(await findPolicyFile({ env, root }), etc);
  const user = write('home/.config/containers/policy.json');
  assert.equal(await findPolicyFile({ env, root }), user);
  const xdg = write('xdg/containers/policy.json');
  const withXdg = { ...env, XDG_CONFIG_HOME: join(root, 'xdg') };
  assert.equal(await findPolicyFile({ env: withXdg, root }), xdg);
  assert.equal(await findPolicyFile({ env: { ...env, XDG_CONFIG_HOME: '' }, root }), user);
  const named = { ...withXdg, CONTAINERS_POLICY_JSON: etc };
  assert.equal(await findPolicyFile({ env: named, root }), etc);
  assert.equal(await findPolicyFile({ env: named, root, file: share }), share);
});

test('a policy named by hand must exist, and one that cannot be read is not passed over', async () => {
  write('etc/containers/policy.json');
  const absent = { ...env, CONTAINERS_POLICY_JSON: join(root, 'absent.json') };
  await assert.rejects(loadPolicy({ env: absent, root }), coded('policy/unreadable'));
  mkdirSync(join(home, '.config/containers/policy.json'), { recursive: true });
  await assert.rejects(loadPolicy({ env, root }), coded('policy/unreadable'));
  rmSync(join(home, '.config/containers/policy.json'), { recursive: true });
  symlinkSync('policy.json', join(home, '.config/containers/policy.json'));
  await assert.rejects(loadPolicy({ env, root }), coded('policy/unreadable'));
});

test('registries.d is the union of all directories, equal names shadowing', async () => {
  const user = write('home/.config/containers/registries.d/10-a.yaml', 'docker: {a.test: {}}');
  const rootful = write('etc/containers/registries.rootful.d/20-b.yaml', 'docker: {b.test: {}}');
  write('etc/containers/registries.rootless.d/20-b.yaml', 'docker: {c.test: {}}');
  const personal = write('etc/containers/registries.rootless.d/1000/30-d.yaml', 'docker: {d.test: {}}');
  write('etc/containers/registries.d/10-a.yaml', 'docker: {shadowed.test: {}}');
  const share = write('usr/share/containers/registries.d/05-e.yaml', 'docker: {e.test: {}}');
  write('usr/share/containers/registries.d/README', 'no yaml');
  assert.deepEqual(await findRegistriesFiles({ env, root, uid: 0 }), [share, user, rootful]);
  const rootless = await findRegistriesFiles({ env, root, uid: 1000 });
  assert.deepEqual(rootless, [
    share,
    user,
    join(root, 'etc/containers/registries.rootless.d/20-b.yaml'),
    personal,
  ]);
  const config = await loadRegistriesConfig({ env, root, uid: 0 });
  assert.deepEqual([...config.docker.keys()], ['e.test', 'a.test', 'b.test']);
  const only = await findRegistriesFiles({ directory: join(root, 'etc/containers/registries.d'), env, root });
  assert.deepEqual(only, [join(root, 'etc/containers/registries.d/10-a.yaml')]);
});

test('no registries.d is no trouble; one that cannot be read is', async () => {
  assert.deepEqual(await findRegistriesFiles({ env, root }), []);
  write('etc/containers/registries.d', 'a file in place of the folder');
  await assert.rejects(findRegistriesFiles({ env, root }), coded('registries-d/unreadable'));
  mkdirSync(join(root, 'other/x.yaml'), { recursive: true });
  await assert.rejects(
    loadRegistriesConfig({ directory: join(root, 'other') }),
    coded('registries-d/unreadable'),
  );
});

test('key files: relative to the folder, with a limit, and never waiting for a pipe', async () => {
  write('keys/a.pub', 'key');
  const keys = keyFiles(root);
  assert.equal(Buffer.from(await keys.read('keys/a.pub')).toString(), 'key');
  const trouble = (path: string, message: string): Promise<void> =>
    assert.rejects(keys.read(path), (error) => isBootsealError(error) && error.message === message);
  await trouble('keys/b.pub', 'open keys/b.pub: no such file or directory');
  await trouble('keys', 'read keys: is a directory');
  await trouble('', 'open : no such file or directory');
  write('keys/large.pub', 'x'.repeat(70_000));
  await trouble('keys/large.pub', 'keys/large.pub exceeds 65536 bytes');
  assert.equal(spawnSync('mkfifo', [join(root, 'pipe')]).status, 0);
  assert.equal((await readSmallFile(join(root, 'pipe'), { maxSize: 10, code: 'test/x' })).length, 0);
});
