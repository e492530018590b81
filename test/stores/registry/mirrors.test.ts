/** registries.conf at work: mirrors in order, what each may be told, and mirrors that lie. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { parseImageName } from '../../../src/formats/reference/image-name.ts';
import { formatReference } from '../../../src/formats/reference/docker-reference.ts';
import { digestOf } from '../../../src/formats/oci/digest.ts';
import { openDestination, openSource, type TransportOptions } from '../../../src/stores/open.ts';
import { findCredentials } from '../../../src/stores/registry/credentials.ts';
import { copyImage } from '../../../src/sign/copy.ts';
import {
  startHostileRegistry,
  type HostileOptions,
  type HostileRegistry,
} from '../../support/hostile-registry.ts';
import { policyCases } from '../../support/policy-vectors.ts';
import { openRecorded } from '../../support/recorded-registries.ts';
import { makeImage, readBlob, readImage } from '../../support/test-image.ts';

const image = makeImage([randomBytes(1000), randomBytes(3_000_000)]);
const other = makeImage([randomBytes(500)]);
let folder = '';
const running: HostileRegistry[] = [];

before(async () => (folder = await mkdtemp(join(tmpdir(), 'bootseal-mirrors-'))));
afterEach(async () => {
  for (const registry of running.splice(0)) await registry.stop();
});
after(() => rm(folder, { recursive: true }));

async function start(options: HostileOptions = {}): Promise<HostileRegistry> {
  const registry = await startHostileRegistry(options);
  running.push(registry);
  return registry;
}

/** Entry for `a.test`, with the registries as mirrors in order and the last as the primary. */
async function confFor(registries: readonly HostileRegistry[], extra = ''): Promise<TransportOptions> {
  const file = join(folder, `${randomBytes(6).toString('hex')}.conf`);
  const mirrors = registries.slice(0, -1).map(({ host }) => `[[registry.mirror]]\nlocation = "${host}/m"\n`);
  await writeFile(
    file,
    `[[registry]]\nprefix = "a.test/x"\nlocation = "${registries.at(-1)?.host}/real"\n${extra}\n${mirrors.join('')}`,
  );
  return { registriesConfFile: file, retry: { attempts: 1 } };
}

const name = parseImageName('docker://a.test/x/app:v1');

describe('mirrors', () => {
  it('the first that has the image gives it; the source knows from where', async () => {
    const [empty, good, primary] = [await start(), await start(), await start()];
    good.hold('v1', image);
    primary.hold('v1', other);
    const failed: string[] = [];
    const source = await openSource(name, {
      ...(await confFor([empty, good, primary])),
      onProgress: (event) => event.kind === 'mirror' && failed.push(event.reference),
    });
    assert.equal((await source.topManifest()).digest, image.manifest.digest);
    assert.equal(formatReference(source.physical ?? assert.fail()), `${good.host}/m/app:v1`);
    assert.deepEqual(source.name, name);
    await readBlob(source, image.layers[1]);
    await source.close();
    assert.deepEqual(failed, [`${empty.host}/m/app:v1`]);
    assert.equal(primary.seen.length, 0);
  });

  it('all fail: the primary’s error decides, the mirrors’ are told', async () => {
    const [mirror, primary] = [await start(), await start()];
    await assert.rejects(openSource(name, await confFor([mirror, primary])), {
      code: 'registry/manifest-unknown',
      message: new RegExp(
        `^\\(Mirrors also failed: \\[${mirror.host}/m/app:v1: .*\\]\\): ${primary.host}/real/app:v1: `,
      ),
    });
  });

  it('reg-pin-body: a mirror that gives another manifest for a digest is passed over', async () => {
    const [liar, primary] = [await start(), await start()];
    primary.hold('v1', image);
    liar.manifests.set(image.manifest.digest, other.manifest);
    const byDigest = parseImageName(`docker://a.test/x/app@${image.manifest.digest}`);
    const source = await openSource(byDigest, await confFor([liar, primary]));
    assert.equal((await source.topManifest()).digest, image.manifest.digest);
    assert.equal(source.physical?.domain, primary.host);
    await source.close();
  });

  it('a mirror that gives another blob ends the copy, and leaves nothing', async () => {
    const [liar, primary] = [await start(), await start()];
    for (const registry of [liar, primary]) registry.hold('v1', image);
    liar.blobs.set(image.layers[1].digest, randomBytes(3_000_000));
    const to = parseImageName(`oci:${join(folder, 'lied-to')}:v1`);
    await assert.rejects(copyImage({ from: name, to }, { sourceTransport: await confFor([liar, primary]) }), {
      code: 'store/digest-mismatch',
      exit: 1,
    });
    await assert.rejects(openSource(to));
  });

  it('reg-resolve-once: a registry that swaps the tag between two reads is asked once', async () => {
    const registry = await start({
      misbehave({ kind, count, registry: own }) {
        if (kind === 'get-manifest' && count > 0) own.manifests.set('v1', other.manifest);
        return false;
      },
    });
    registry.hold('v1', image);
    const to = parseImageName(`oci:${join(folder, 'once')}:v1`);
    const result = await copyImage({ from: name, to }, { sourceTransport: await confFor([registry]) });
    assert.equal(result.digest, image.manifest.digest);
    assert.equal(registry.seen.filter(({ kind }) => kind === 'get-manifest').length, 1);
  });

  it('explicit credentials go to the host of the name, and to no mirror elsewhere', async () => {
    const demand: HostileOptions = {
      misbehave({ request, response }) {
        if (request.headers.authorization !== undefined) return false;
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        return true;
      },
    };
    const [mirror, primary] = [await start(demand), await start(demand)];
    mirror.hold('v1', image);
    primary.hold('v1', image);
    const options = {
      ...(await confFor([mirror, primary])),
      credentials: { username: 'u', password: 's3cr3t' },
    };
    await assert.rejects(openSource(name, options), { code: 'registry/unauthorized' });
    for (const { seen } of [mirror, primary]) {
      assert.ok(seen.length > 0);
      assert.ok(seen.every(({ headers }) => headers.authorization === undefined));
    }
    // Its own host, by another path: that is where the password belongs.
    const file = join(folder, 'own.conf');
    await writeFile(file, `[[registry]]\nprefix = "${primary.host}/x"\nlocation = "${primary.host}/real"\n`);
    const source = await openSource(parseImageName(`docker://${primary.host}/x/app:v1`), {
      ...options,
      registriesConfFile: file,
    });
    assert.equal((await source.topManifest()).digest, image.manifest.digest);
    await source.close();
  });

  it('the credentials of a file are looked up for the place, not for the name', async () => {
    const mirror = await start({
      misbehave({ request, response }) {
        if (request.headers.authorization !== undefined) return false;
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        return true;
      },
    });
    mirror.hold('v1', image);
    const authFile = join(folder, 'auth.json');
    const auth = Buffer.from('m:pw').toString('base64');
    const wrong = Buffer.from('n:no').toString('base64');
    await writeFile(
      authFile,
      JSON.stringify({ auths: { [mirror.host]: { auth }, 'a.test': { auth: wrong } } }),
    );
    const source = await openSource(name, { ...(await confFor([mirror])), authFile });
    await source.close();
    const sent = mirror.seen.map(({ headers }) => headers.authorization).filter((each) => each !== undefined);
    assert.deepEqual([...new Set(sent)], [`Basic ${auth}`]);
  });

  it('a blocked mirror is passed over, a blocked registry is not written to', async () => {
    const [mirror, primary] = [await start(), await start()];
    mirror.hold('v1', image);
    primary.hold('v1', image);
    const options = await confFor([mirror, primary]);
    const conf = (text: string): Promise<void> =>
      writeFile(options.registriesConfFile ?? '', text, { flag: 'a' });
    await conf(`[[registry]]\nlocation = "${mirror.host}"\nblocked = true\n`);
    const source = await openSource(name, options);
    assert.equal(source.physical?.domain, primary.host);
    await source.close();
    assert.equal(mirror.seen.length, 0);
    await assert.rejects(openDestination(parseImageName(`docker://${mirror.host}/app:v1`), options), {
      code: 'registries-conf/blocked',
    });
    assert.equal(mirror.seen.length, 0);
  });

  it('an http proxy is used for everything, large blobs included', async () => {
    const registry = await start();
    registry.hold('v1', image);
    const tunnels: string[] = [];
    const proxy = createServer().on('connect', (request: IncomingMessage, client: Socket) => {
      const [host, port] = (request.url ?? '').split(':');
      tunnels.push(request.url ?? '');
      const upstream = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    const to = `oci:${join(folder, 'proxied')}:v1`;
    const options = await confFor([registry], `proxy = "http://127.0.0.1:${port}"`);
    await copyImage({ from: name, to: parseImageName(to) }, { sourceTransport: options });
    assert.equal(await readImage(to), image.manifest.digest);
    assert.ok(tunnels.length > 0 && tunnels.every((each) => each === registry.host));
    proxy.closeAllConnections();
    proxy.close();
  });

  it('a SOCKS proxy that cannot be used is not gone around', async () => {
    const registry = await start();
    registry.hold('v1', image);
    const options = await confFor([registry], 'proxy = "socks5h://127.0.0.1:9"');
    await assert.rejects(openSource(name, options), { code: 'registry/proxy-unsupported' });
    assert.equal(registry.seen.length, 0);
  });
});

describe('credential-helpers', () => {
  const realPath = process.env['PATH'];
  afterEach(() => (process.env['PATH'] = realPath));

  async function ask(
    helpers: readonly string[],
    programs: Readonly<Record<string, string>>,
  ): Promise<unknown> {
    const bin = await mkdtemp(join(folder, 'bin-'));
    for (const [program, script] of Object.entries(programs)) {
      await writeFile(join(bin, `docker-credential-${program}`), `#!/bin/sh\ncat >/dev/null\n${script}\n`, {
        mode: 0o755,
      });
    }
    process.env['PATH'] = `${bin}:${realPath}`;
    const authFile = join(bin, 'auth.json');
    await writeFile(
      authFile,
      JSON.stringify({ auths: { 'a.test': { auth: Buffer.from('file:pw').toString('base64') } } }),
    );
    return (await findCredentials('a.test', 'a.test/x', authFile, process.env, helpers))?.username;
  }
  const knows = `echo '{"Username":"helper","Secret":"s"}'`;
  const knowsNot = `echo 'credentials not found in native keychain'; exit 1`;

  it('are asked in their order, files at their place in it', async () => {
    assert.equal(await ask(['one', 'containers-auth.json'], { one: knows }), 'helper');
    assert.equal(await ask(['containers-auth.json', 'one'], { one: knows }), 'file');
    assert.equal(await ask(['one', 'containers-auth.json'], { one: knowsNot }), 'file');
    assert.equal(await ask(['one'], { one: knowsNot }), undefined);
  });

  it('one that fails does not hide another that knows, and is told when none does', async () => {
    assert.equal(await ask(['broken', 'one'], { broken: 'exit 3', one: knows }), 'helper');
    await assert.rejects(ask(['broken', 'missing'], { broken: 'exit 3' }), { code: 'auth/helper-failed' });
  });

  it('reg-helper: a name that is a path runs nothing', async () => {
    await assert.rejects(ask(['../x'], {}), { code: 'auth/bad-helper' });
  });
});

describe('policy vectors about registries.conf', () => {
  const cases = policyCases().filter((item) => /mirror-entry|registries\.d\/conf-/.test(item.name));
  it('are there', () => assert.equal(cases.length, 3));
  for (const item of cases) {
    it(item.name, async () => {
      const live = await start();
      const file = join(folder, `${item.name.replace('/', '-')}.conf`);
      await writeFile(file, item.files?.['registries.conf'] ?? '');
      live.hold('v1', image);
      const reference = parseImageName(item.reference);
      if (reference.transport !== 'docker') assert.fail(item.reference);
      const opened = openRecorded(reference, file, '127.0.0.1:5117', live.host);
      if (item.name.endsWith('mirror-entry')) {
        const source = await opened;
        assert.equal(digestOf((await source.topManifest()).bytes), image.manifest.digest);
        assert.equal(source.physical?.domain, '127.0.0.1:5117');
        await source.close();
      } else if (item.name.endsWith('conf-blocked')) {
        // skopeo 1.22 pulls; an administrator who blocks means it.
        await assert.rejects(opened, { code: 'registries-conf/blocked' });
      } else {
        const message = item.message
          .replace(/^initializing source [^ ]+: /, '')
          .replace('run/registries.conf', file);
        await assert.rejects(opened, { message });
      }
    });
  }
});
