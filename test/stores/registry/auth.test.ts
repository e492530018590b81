/** Who is told what: credentials, tokens, redirects. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { isBootsealError, type BootsealError } from '../../../src/errors.ts';
import { parseImageName } from '../../../src/formats/reference/image-name.ts';
import { checkRealm, parseToken } from '../../../src/stores/registry/bearer.ts';
import { askHelper } from '../../../src/stores/registry/credential-helper.ts';
import { authPaths, findCredentials } from '../../../src/stores/registry/credentials.ts';
import { followLocation } from '../../../src/stores/registry/redirect.ts';
import { openSource, type TransportOptions } from '../../../src/stores/open.ts';
import { makeCertificates, type TestCertificates } from '../../support/certificates.ts';
import {
  failure,
  send,
  startHostileRegistry,
  type HostileOptions,
  type HostileRegistry,
} from '../../support/hostile-registry.ts';
import { REGISTRY_PASSWORD, REGISTRY_USER, startRegistry } from '../../support/registry.ts';
import { startTokenServer } from '../../support/token-server.ts';
import { copyImage } from '../../../src/sign/copy.ts';
import { makeImage, putImage, readImage } from '../../support/test-image.ts';

const ALICE = { username: REGISTRY_USER, password: REGISTRY_PASSWORD };
const BASIC = `Basic ${Buffer.from(`${REGISTRY_USER}:${REGISTRY_PASSWORD}`).toString('base64')}`;
const QUICK: TransportOptions = {
  timeouts: { connect: 1000, headers: 1000, body: 1000 },
  retry: { attempts: 2, firstDelay: 5 },
};

const image = makeImage();
const running: HostileRegistry[] = [];
let folder = '';
let certificates: TestCertificates;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-auth-'));
  certificates = makeCertificates();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((registry) => registry.stop()));
});
after(async () => {
  certificates.remove();
  await rm(folder, { recursive: true });
});

async function start(options: HostileOptions = {}): Promise<HostileRegistry> {
  const registry = await startHostileRegistry(options);
  registry.hold('1', image);
  running.push(registry);
  return registry;
}

async function refusal(work: Promise<unknown>): Promise<BootsealError> {
  const error: unknown = await work.then(
    () => assert.fail('was accepted'),
    (reason: unknown) => reason,
  );
  if (!isBootsealError(error)) throw error;
  return error;
}

function challenge(response: Parameters<typeof send>[0], header: string): true {
  send(
    response,
    401,
    { 'www-authenticate': header },
    '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
  );
  return true;
}

describe('basic authentication', () => {
  it('of the real registry, by option and by auth.json', async () => {
    const registry = await startRegistry({ basicAuth: true });
    try {
      const name = `docker://${registry.host}/acme/os:1`;
      const authFile = join(folder, 'auth.json');
      const auth = Buffer.from(`${REGISTRY_USER}:${REGISTRY_PASSWORD}`).toString('base64');
      await writeFile(authFile, JSON.stringify({ auths: { [registry.host]: { auth } } }));
      await putImage(name, image, { ...QUICK, credentials: ALICE });
      assert.equal(await readImage(name, { ...QUICK, authFile }), image.manifest.digest);
      const wrong = { ...QUICK, credentials: { username: REGISTRY_USER, password: 'wr0ng' } };
      const error = await refusal(readImage(name, wrong));
      assert.equal(error.code, 'registry/unauthorized');
      assert.ok(!inspect(error, { depth: 10 }).includes('wr0ng'));
    } finally {
      await registry.stop();
    }
  });

  it('401 for ever: one error, no storm', async () => {
    const target = await start({ misbehave: ({ response }) => challenge(response, 'Basic realm="x"') });
    const error = await refusal(
      readImage(`docker://${target.host}/acme/os:1`, { ...QUICK, credentials: ALICE }),
    );
    assert.equal(error.code, 'registry/unauthorized');
    assert.ok(error.hint);
    assert.equal(target.seen.filter(({ kind }) => kind === 'get-manifest').length, 1);
  });
});

describe('bearer tokens', () => {
  /** Hands out token-1, token-2, …; demands the latest that `accept` names. */
  function tokenServer(accept: (token: string) => boolean): HostileOptions {
    let issued = 0;
    return {
      misbehave({ kind, request, response, registry }) {
        if (kind === 'token') {
          issued += 1;
          send(response, 200, {}, JSON.stringify({ token: `token-${issued}`, expires_in: 300 }));
          return true;
        }
        const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
        if (accept(token)) return false;
        return challenge(response, `Bearer realm="${registry.url}/token",service="test"`);
      },
    };
  }

  it('are asked for with service, scope and account, once for a scope', async () => {
    const target = await start(tokenServer((token) => token === 'token-1'));
    await readImage(`docker://${target.host}/acme/os:1`, { ...QUICK, credentials: ALICE });
    const asked = target.seen.filter(({ kind }) => kind === 'token');
    assert.equal(asked.length, 1);
    const url = new URL(asked[0].url, target.url);
    assert.equal(url.searchParams.get('service'), 'test');
    assert.equal(url.searchParams.get('scope'), 'repository:acme/os:pull');
    assert.equal(url.searchParams.get('account'), REGISTRY_USER);
    assert.equal(asked[0].headers.authorization, BASIC);
    // The password goes to the token server only.
    for (const { kind, headers } of target.seen)
      if (kind !== 'token') assert.notEqual(headers.authorization, BASIC);
  });

  it('that are refused are replaced once', async () => {
    const target = await start(tokenServer((token) => token === 'token-2'));
    await readImage(`docker://${target.host}/acme/os:1`, QUICK);
    assert.equal(target.seen.filter(({ kind }) => kind === 'token').length, 2);
  });

  it('that are never good enough: one clear error', async () => {
    const target = await start(tokenServer(() => false));
    const error = await refusal(readImage(`docker://${target.host}/acme/os:1`, QUICK));
    assert.equal(error.code, 'registry/unauthorized');
    assert.match(error.message, /authentication required/);
    assert.equal(target.seen.filter(({ kind }) => kind === 'token').length, 2);
    assert.equal(target.seen.filter(({ kind }) => kind === 'get-manifest').length, 2);
  });

  it('by identity token go in a form, never in a URL', async () => {
    const authFile = join(folder, 'identity.json');
    const target = await start(tokenServer((token) => token === 'token-1'));
    await writeFile(authFile, JSON.stringify({ auths: { [target.host]: { identitytoken: 's3cr3t' } } }));
    await readImage(`docker://${target.host}/acme/os:1`, { ...QUICK, authFile });
    const asked = target.seen.filter(({ kind }) => kind === 'token');
    assert.deepEqual(
      asked.map(({ method }) => method),
      ['POST'],
    );
    assert.ok(target.seen.every(({ url }) => !url.includes('s3cr3t')));
  });

  it('reg-realm: no request to where a realm must not lead, and public https realms are accepted', async () => {
    const target = await start({
      misbehave: ({ response }) =>
        challenge(response, 'Bearer realm="http://169.254.169.254/token",service="x"'),
    });
    const error = await refusal(
      readImage(`docker://${target.host}/acme/os:1`, { ...QUICK, credentials: ALICE }),
    );
    assert.equal(error.code, 'registry/realm-refused');
    assert.deepEqual(
      target.seen.map(({ kind }) => kind),
      ['ping'],
    );

    const registry = new URL('https://registry.example');
    assert.equal(checkRealm('https://auth.example.com/token', registry).host, 'auth.example.com');
    assert.equal(checkRealm('https://10.0.0.1/t', new URL('https://10.0.0.1')).host, '10.0.0.1');
    for (const realm of [
      undefined,
      'not a url',
      'http://auth.example.com/token',
      'ftp://auth.example.com/token',
      'https://user:pw@auth.example.com/token',
      'https://169.254.169.254/token',
      'https://[fe80::1]/token',
      'https://[::ffff:169.254.169.254]/token',
      'https://127.0.0.1/token',
      'https://0x7f000001/token',
      'https://localhost/token',
      'https://10.1.2.3/token',
      'https://192.168.0.1/token',
      'https://[fd00::1]/token',
      'https://0.0.0.0/token',
    ]) {
      assert.throws(() => checkRealm(realm, registry), { code: 'registry/realm-refused' }, String(realm));
    }
  });

  it('js-split: a token of 10 MB of dots', async () => {
    const target = await start({
      misbehave({ kind, response, registry }) {
        if (kind !== 'token') return challenge(response, `Bearer realm="${registry.url}/token"`);
        send(response, 200, {}, JSON.stringify({ token: '.'.repeat(10_000_000) }));
        return true;
      },
    });
    assert.equal(
      (await refusal(readImage(`docker://${target.host}/acme/os:1`, QUICK))).code,
      'store/too-large',
    );
    const started = performance.now();
    assert.throws(() => parseToken(Buffer.from(JSON.stringify({ token: '.'.repeat(900_000) }))), {
      code: 'registry/bad-token',
    });
    assert.ok(performance.now() - started < 200);
  });

  it('of odd replies', () => {
    const parse = (value: unknown): unknown => parseToken(Buffer.from(JSON.stringify(value)), 0);
    assert.deepEqual(parse({ access_token: 'a' }), { value: 'a', expires: 55_000 });
    assert.deepEqual(parse({ token: '', access_token: 'b', expires_in: 1 }), { value: 'b', expires: 55_000 });
    for (const reply of [null, {}, [], { token: 5 }, { token: 'a\nb' }, { token: 'a b' }]) {
      assert.throws(() => parse(reply), { code: 'registry/bad-token' });
    }
    assert.throws(() => parseToken(Buffer.from('<html>')), { code: 'registry/bad-token' });
  });
});

describe('bearer tokens of the real registry', () => {
  it('for reading, writing and mounting, with no more than each needs', async () => {
    const tokens = await startTokenServer(certificates, (path, actions, authorization) =>
      path === 'acme/secret' && authorization !== BASIC ? [] : actions,
    );
    const registry = await startRegistry({ tokenAuth: tokens.tokenAuth });
    try {
      const name = (path: string): string => `docker://${registry.host}/${path}`;
      await putImage(name('acme/os:1'), image, QUICK);
      assert.equal(await readImage(name('acme/os:1'), QUICK), image.manifest.digest);
      const copied = await copyImage(
        { from: parseImageName(name('acme/os:1')), to: parseImageName(name('acme/other:1')) },
        { sourceTransport: QUICK, destinationTransport: QUICK },
      );
      assert.equal(copied.blobs.mounted, 2);
      const asked = new Set(tokens.asked.map((scopes) => scopes.join(' ')));
      assert.deepEqual([...asked].toSorted(), [
        'repository:acme/os:pull',
        'repository:acme/os:pull,push',
        'repository:acme/other:pull,push',
        'repository:acme/other:pull,push repository:acme/os:pull',
      ]);
      assert.equal(
        (await refusal(putImage(name('acme/secret:1'), image, QUICK))).code,
        'registry/unauthorized',
      );
      await putImage(name('acme/secret:1'), image, { ...QUICK, credentials: ALICE });
      assert.equal((await refusal(readImage(name('acme/secret:1'), QUICK))).code, 'registry/unauthorized');
    } finally {
      await registry.stop();
      await tokens.stop();
    }
  });
});

describe('a proxy', () => {
  it('carries TLS to the registry, and is not asked for loopback', async () => {
    const target = await start({ tls: certificates });
    const connects: string[] = [];
    const proxy = createServer().listen(0, '127.0.0.1');
    proxy.on('connect', (request: IncomingMessage, client: Socket) => {
      connects.push(request.url ?? '');
      assert.equal(request.headers.authorization, undefined);
      const upstream = connect(Number(target.host.split(':')[1]), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(client).pipe(upstream);
      });
      upstream.on('error', () => client.destroy());
      client.on('error', () => upstream.destroy());
    });
    await once(proxy, 'listening');
    const certDir = join(folder, 'proxy-certs');
    await mkdir(certDir, { recursive: true });
    await writeFile(join(certDir, 'ca.crt'), certificates.ca);
    const plain = await start();
    process.env['HTTPS_PROXY'] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    try {
      const options = { ...QUICK, certDir, credentials: ALICE };
      assert.equal(await readImage('docker://registry.test/acme/os:1', options), image.manifest.digest);
      assert.ok(
        connects.length > 0 && connects.every((host) => host === 'registry.test:443'),
        connects.join(),
      );
      const error = await refusal(readImage('docker://registry.test/acme/os:1', QUICK));
      assert.equal(error.code, 'registry/tls');
      await readImage(`docker://${plain.host}/acme/os:1`, QUICK);
      assert.ok(connects.every((host) => host === 'registry.test:443'));
    } finally {
      delete process.env['HTTPS_PROXY'];
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

describe('redirects', () => {
  it('reg-blob-auth, js-redirect: to another origin without Authorization', async () => {
    const storage = await start();
    const target = await start({
      misbehave({ kind, request, response }) {
        if (request.headers.authorization === undefined) return challenge(response, 'Basic realm="x"');
        if (kind !== 'get-blob') return false;
        send(response, 307, { location: `${storage.url}${request.url ?? ''}?signature=s3cr3t` }, '');
        return true;
      },
    });
    await readImage(`docker://${target.host}/acme/os:1`, { ...QUICK, credentials: ALICE });
    assert.equal(storage.seen.filter(({ kind }) => kind === 'get-blob').length, 2);
    for (const { headers } of storage.seen) {
      assert.equal(headers.authorization, undefined);
      assert.equal(headers.cookie, undefined);
    }
  });

  it('js-downgrade: https to http', async () => {
    const plain = await start();
    const target = await start({
      tls: certificates,
      misbehave({ kind, request, response }) {
        if (kind !== 'get-blob') return false;
        send(response, 302, { location: `${plain.url}${request.url ?? ''}` }, '');
        return true;
      },
    });
    await mkdir(join(folder, 'certs'), { recursive: true });
    await writeFile(join(folder, 'certs', 'ca.crt'), certificates.ca);
    const options = { ...QUICK, certDir: join(folder, 'certs') };
    const error = await refusal(readImage(`docker://${target.host}/acme/os:1`, options));
    assert.equal(error.code, 'registry/redirect-refused');
    assert.equal(plain.seen.length, 0);
  });

  it('in a circle', async () => {
    const target = await start({
      misbehave({ kind, request, response }) {
        if (kind !== 'get-blob') return false;
        send(response, 307, { location: request.url ?? '' }, '');
        return true;
      },
    });
    assert.equal(
      (await refusal(readImage(`docker://${target.host}/acme/os:1`, QUICK))).code,
      'registry/redirect-refused',
    );
  });

  it('to strange places', () => {
    const from = new URL('https://registry.example/v2/');
    assert.equal(followLocation('/x?y=1', from).href, 'https://registry.example/x?y=1');
    assert.equal(followLocation('https://cdn.example/x', from).host, 'cdn.example');
    for (const location of [
      undefined,
      '',
      'http://registry.example/x',
      'file:///etc/passwd',
      'https://u:p@cdn.example/',
      'https://169.254.169.254/latest/meta-data',
      'https://127.0.0.1/',
      'https://[::1]/',
      'https://[',
      `https://cdn.example/${'a'.repeat(20_000)}`,
    ]) {
      assert.throws(() => followLocation(location, from), { code: 'registry/redirect-refused' }, location);
    }
  });
});

describe('TLS', () => {
  it('reg-tls-path: a certificate of nobody is refused at every use, and plain HTTP is not tried after it', async () => {
    const target = await start({ tls: certificates });
    for (const options of [QUICK, { ...QUICK, tlsVerify: true }]) {
      assert.equal(
        (await refusal(readImage(`docker://${target.host}/acme/os:1`, options))).code,
        'registry/tls',
      );
      assert.equal(
        (await refusal(putImage(`docker://${target.host}/acme/os:2`, image, options))).code,
        'registry/tls',
      );
    }
    assert.equal(target.seen.length, 0);
    const lenient = { ...QUICK, tlsVerify: false };
    assert.equal(await readImage(`docker://${target.host}/acme/os:1`, lenient), image.manifest.digest);
  });

  it('reg-tls-path: blobs and tokens on another host with such a certificate', async () => {
    const storage = await start({ tls: certificates });
    const target = await start({
      misbehave({ kind, request, response }) {
        if (kind !== 'get-blob') return false;
        send(response, 307, { location: `${storage.url}${request.url ?? ''}` }, '');
        return true;
      },
    });
    assert.equal((await refusal(readImage(`docker://${target.host}/acme/os:1`, QUICK))).code, 'registry/tls');
    const withToken = await start({
      misbehave: ({ response }) => challenge(response, `Bearer realm="${storage.url}/token"`),
    });
    assert.equal(
      (await refusal(readImage(`docker://${withToken.host}/acme/os:1`, QUICK))).code,
      'registry/tls',
    );
    assert.equal(storage.seen.length, 0);
  });

  it('with the authority in a certificate folder', async () => {
    const target = await start({ tls: certificates });
    const certDir = join(folder, 'good-certs');
    await mkdir(certDir, { recursive: true });
    await writeFile(join(certDir, 'ca.crt'), certificates.ca);
    assert.equal(
      await readImage(`docker://${target.host}/acme/os:1`, { ...QUICK, certDir }),
      image.manifest.digest,
    );
    await writeFile(join(certDir, 'me.cert'), certificates.cert);
    assert.equal(
      (await refusal(readImage(`docker://${target.host}/acme/os:1`, { ...QUICK, certDir }))).code,
      'registry/bad-certs',
    );
  });

  it('plain HTTP only for loopback, unless allowed', async () => {
    const target = await start();
    const error = await refusal(
      readImage(`docker://${target.host}/acme/os:1`, { ...QUICK, tlsVerify: true }),
    );
    assert.equal(error.code, 'registry/not-tls');
    assert.equal(target.seen.length, 0);
  });
});

describe('credentials', () => {
  it('reg-host-match: for r.example are not sent to r.example.evil.test', async () => {
    const authFile = join(folder, 'hosts.json');
    const auth = Buffer.from('u:p').toString('base64');
    await writeFile(authFile, JSON.stringify({ auths: { 'r.example': { auth } } }));
    assert.deepEqual(await findCredentials('r.example', 'r.example/a/b', authFile), {
      username: 'u',
      password: 'p',
    });
    for (const host of ['r.example.evil.test', 'evil.test', 'xr.example', 'r.example:5000']) {
      assert.equal(await findCredentials(host, `${host}/a/b`, authFile), undefined, host);
    }
  });

  it('come from the first file that has some, or only from the one named', async () => {
    const runtime = join(folder, 'run');
    const docker = join(folder, 'docker');
    await mkdir(join(runtime, 'containers'), { recursive: true });
    await mkdir(docker, { recursive: true });
    const entry = (text: string): object => ({ auth: Buffer.from(text).toString('base64') });
    await writeFile(
      join(runtime, 'containers', 'auth.json'),
      JSON.stringify({ auths: { 'r.example': entry('a:1') } }),
    );
    await writeFile(
      join(docker, 'config.json'),
      JSON.stringify({ auths: { 'r.example': entry('b:2'), 's.example': entry('c:3') } }),
    );
    const environment = { XDG_RUNTIME_DIR: runtime, DOCKER_CONFIG: docker, HOME: folder };
    const user = async (host: string, file?: string): Promise<string | undefined> =>
      (await findCredentials(host, `${host}/x`, file, environment))?.username;
    assert.equal(await user('r.example'), 'a');
    assert.equal(await user('s.example'), 'c');
    assert.equal(await user('t.example'), undefined);
    assert.equal(await user('r.example', join(docker, 'config.json')), 'b');
    await assert.rejects(user('r.example', join(folder, 'none.json')), { code: 'auth/cannot-read' });
    assert.deepEqual(authPaths(undefined, { ...environment, REGISTRY_AUTH_FILE: '/x' }), [{ path: '/x' }]);
  });

  it('reg-helper: a name that is a path is refused, a helper that sleeps is ended', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin, { recursive: true });
    const helper = async (name: string, script: string): Promise<void> => {
      await writeFile(join(bin, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
      await chmod(join(bin, `docker-credential-${name}`), 0o755);
    };
    await helper('good', 'read host; echo "{\\"Username\\":\\"u-$host\\",\\"Secret\\":\\"p\\"}"');
    await helper('token', 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"t\\"}"');
    await helper('none', 'echo "credentials not found in native keychain"; exit 1');
    await helper('broken', 'echo "s3cr3t is not JSON"');
    await helper('sleepy', 'sleep 600 & wait');
    await helper('endless', 'yes');
    const path = process.env['PATH'];
    process.env['PATH'] = `${bin}:${path}`;
    try {
      assert.deepEqual(await askHelper('good', 'r.example'), { username: 'u-r.example', password: 'p' });
      assert.deepEqual(await askHelper('token', 'r.example'), {
        username: '',
        password: '',
        identityToken: 't',
      });
      assert.equal(await askHelper('none', 'r.example'), undefined);
      const error = await refusal(askHelper('broken', 'r.example'));
      assert.equal(error.code, 'auth/helper-failed');
      assert.ok(!inspect(error).includes('s3cr3t'));
      assert.equal((await refusal(askHelper('sleepy', 'r.example', 300))).code, 'auth/helper-timeout');
      assert.equal((await refusal(askHelper('endless', 'r.example'))).code, 'auth/helper-failed');
      assert.equal((await refusal(askHelper('absent', 'r.example'))).code, 'auth/helper-missing');
      assert.equal((await refusal(askHelper('../x', 'r.example'))).code, 'auth/bad-helper');
      const authFile = join(folder, 'helpers.json');
      await writeFile(authFile, JSON.stringify({ credHelpers: { 'r.example': '../x' } }));
      assert.equal(
        (await refusal(findCredentials('r.example', 'r.example/a', authFile))).code,
        'auth/bad-helper',
      );
    } finally {
      process.env['PATH'] = path;
    }
  });
});

describe('reg-redact', () => {
  it('no secret of a URL in any error, the causes included', async () => {
    const seen: string[] = [];
    const attempts: (() => Promise<unknown>)[] = [
      () => Promise.resolve().then(() => parseImageName('docker://u:s3cr3t@r.example/a')),
      () => Promise.resolve().then(() => parseImageName('https://u:s3cr3t@r.example/a')),
      async () => {
        const target = await start({
          misbehave: ({ response }) =>
            challenge(response, 'Bearer realm="https://u:s3cr3t@h.example/?token=s3cr3t"'),
        });
        return openSource(parseImageName(`${target.host}/a`), QUICK);
      },
      async () => {
        const target = await start({
          misbehave({ kind, response }) {
            if (kind !== 'get-manifest') return false;
            send(response, 307, { location: 'ftp://u:s3cr3t@h.example/?x=s3cr3t' }, '');
            return true;
          },
        });
        return openSource(parseImageName(`${target.host}/a`), QUICK);
      },
      async () => {
        const target = await start({
          misbehave({ kind, response }) {
            if (kind !== 'get-manifest') return false;
            failure(
              response,
              403,
              'DENIED',
              'not https://u:s3cr3t@h.example/x?sig=s3cr3t with Bearer s3cr3t',
            );
            return true;
          },
        });
        return openSource(parseImageName(`${target.host}/a`), QUICK);
      },
      async () => {
        const target = await start({
          misbehave({ kind, request, response }) {
            if (kind === 'get-manifest') send(response, 307, { location: '/elsewhere?sig=s3cr3t' }, '');
            else if (kind === 'other') request.socket.destroy();
            else return false;
            return true;
          },
        });
        return openSource(parseImageName(`${target.host}/a`), {
          ...QUICK,
          onProgress: (event) => void seen.push(inspect(event)),
        });
      },
    ];
    for (const [at, attempt] of attempts.entries()) {
      const error = await refusal(attempt());
      const told = [inspect(error, { depth: 12, showHidden: true }), error.hint, error.where, ...seen].join(
        '\n',
      );
      assert.ok(!told.includes('s3cr3t'), `attempt ${at}: ${told}`);
    }
  });
});
