/** Large blobs on their quick way: the same rules as on the slow one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { NO_REGISTRIES_CONF } from '../../../src/formats/registries-conf/config.ts';
import { parseImageName } from '../../../src/formats/reference/image-name.ts';
import type { TransportOptions } from '../../../src/stores/open.ts';
import { copyImage } from '../../../src/sign/copy.ts';
import { makeCertificates, type TestCertificates } from '../../support/certificates.ts';
import {
  startHostileRegistry,
  type HostileOptions,
  type HostileRegistry,
} from '../../support/hostile-registry.ts';
import { makeImage, readImage } from '../../support/test-image.ts';

const bytes = randomBytes(5_000_000);
const image = makeImage([bytes]);
const [{ digest }] = image.layers;
let folder = '';
let certificates: TestCertificates;
const running: HostileRegistry[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-bulk-'));
  certificates = makeCertificates();
});
afterEach(async () => {
  for (const registry of running.splice(0)) await registry.stop();
});
after(async () => {
  certificates.remove();
  await rm(folder, { recursive: true });
});

async function start(options: HostileOptions = {}): Promise<HostileRegistry> {
  const registry = await startHostileRegistry(options);
  running.push(registry);
  registry.hold('v1', image);
  return registry;
}

const QUICK: TransportOptions = {
  registriesConf: NO_REGISTRIES_CONF,
  retry: { attempts: 2, firstDelay: 1 },
  timeouts: { connect: 2000, headers: 500, body: 300 },
};

let copies = 0;
async function copy(registry: HostileRegistry, options: TransportOptions = {}): Promise<string> {
  const to = `oci:${join(folder, `copy-${++copies}`)}:v1`;
  const from = parseImageName(`docker://${registry.host}/app:v1`);
  await copyImage({ from, to: parseImageName(to) }, { sourceTransport: { ...QUICK, ...options } });
  return to;
}

const demandPassword: HostileOptions['misbehave'] = ({ request, response }) => {
  if (request.headers.authorization !== undefined) return false;
  response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  return true;
};
const credentials = { username: 'u', password: 's3cr3t' };

describe('redirects', () => {
  it('reg-blob-auth, js-redirect: to another port, without the password', async () => {
    const store = await start();
    const registry = await start({
      misbehave(event) {
        if (demandPassword(event)) return true;
        if (event.kind !== 'get-blob') return false;
        event.response.writeHead(307, { location: `${store.url}${event.request.url}` }).end();
        return true;
      },
    });
    assert.equal(await readImage(await copy(registry, { credentials })), image.manifest.digest);
    const asked = store.seen.filter(({ kind }) => kind === 'get-blob');
    assert.equal(asked.length, 2);
    assert.ok(asked.every(({ headers }) => headers.authorization === undefined));
    assert.ok(
      registry.seen.some(({ kind, headers }) => kind === 'get-blob' && headers.authorization !== undefined),
    );
  });

  it('js-downgrade: from https to http are refused', async () => {
    const plain = await start();
    const registry = await start({
      tls: { key: certificates.key, cert: certificates.cert },
      misbehave({ kind, request, response }) {
        if (kind !== 'get-blob') return false;
        response.writeHead(302, { location: `${plain.url}${request.url}` }).end();
        return true;
      },
    });
    await assert.rejects(copy(registry, { tlsVerify: false }), { code: 'registry/redirect-refused' });
    assert.equal(plain.seen.length, 0);
  });

  it('in a circle end', async () => {
    const registry = await start({
      misbehave({ kind, request, response }) {
        if (kind !== 'get-blob') return false;
        response.writeHead(307, { location: request.url }).end();
        return true;
      },
    });
    await assert.rejects(copy(registry), { code: 'registry/redirect-refused' });
  });
});

describe('certificates', () => {
  it('reg-tls-path: an unknown one is refused, one of certs.d taken', async () => {
    const registry = await start({ tls: { key: certificates.key, cert: certificates.cert } });
    await assert.rejects(copy(registry), { code: 'registry/tls' });
    assert.equal(registry.seen.length, 0);
    assert.equal(await readImage(await copy(registry, { tlsVerify: false })), image.manifest.digest);
  });
});

describe('bodies', () => {
  type Answer = (event: Parameters<NonNullable<HostileOptions['misbehave']>>[0]) => void;
  const atBlob = (answer: Answer): Promise<HostileRegistry> =>
    start({
      misbehave(event) {
        if (event.kind !== 'get-blob' || !event.request.url?.includes(digest)) return false;
        answer(event);
        return true;
      },
    });

  it('in chunks come by the general client', async () => {
    const registry = await atBlob(({ response }) => {
      response.write(bytes.subarray(0, 1000));
      response.end(bytes.subarray(1000));
    });
    assert.equal(await readImage(await copy(registry)), image.manifest.digest);
  });

  it('that end early go on where they stopped', async () => {
    const registry = await atBlob(({ count, request, response }) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      response.writeHead(from === 0 ? 200 : 206, {
        'content-length': bytes.length - from,
        ...(from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      });
      if (count > 2) response.end(bytes.subarray(from));
      else
        response.write(bytes.subarray(from, from + 1_500_000), () =>
          setTimeout(() => response.destroy(), 50),
        );
    });
    assert.equal(
      await readImage(await copy(registry, { retry: { attempts: 5, firstDelay: 1 } })),
      image.manifest.digest,
    );
    const ranges = registry.seen
      .filter(({ url }) => url.includes(digest))
      .map(({ headers }) => headers.range);
    assert.ok(ranges.length > 1 && ranges.slice(1).every((range) => range !== undefined), String(ranges));
  });

  const lies: Readonly<Record<string, readonly [answer: Answer, error: object]>> = {
    'longer than the descriptor says, announced': [
      ({ response }) => {
        response.writeHead(200, { 'content-length': 10 ** 15 }).write(bytes);
      },
      { code: 'store/size-mismatch', exit: 1 },
    ],
    'without end, in chunks': [
      ({ response }) => {
        const more = (): void => {
          while (!response.destroyed && response.write(bytes));
        };
        response.on('drain', more);
        more();
      },
      { code: 'store/size-mismatch', exit: 1 },
    ],
    'of other bytes': [
      ({ response }) => response.end(Buffer.alloc(bytes.length)),
      { code: 'store/digest-mismatch', exit: 1 },
    ],
    'js-encoding: encoded': [
      ({ response }) => {
        const packed = gzipSync(bytes);
        response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length }).end(packed);
      },
      { code: 'registry/encoding-refused' },
    ],
    'of another range': [
      ({ request, response }) => {
        if (request.headers.range === undefined) {
          response.writeHead(200, { 'content-length': bytes.length });
          response.write(bytes.subarray(0, 2_000_000), () => setTimeout(() => response.destroy(), 50));
        } else
          response
            .writeHead(206, { 'content-range': 'bytes 0-9/10', 'content-length': 10 })
            .end(bytes.subarray(0, 10));
      },
      { code: 'registry/bad-range' },
    ],
    'that stop': [
      ({ response }) => {
        response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 1000));
      },
      { code: 'registry/timeout' },
    ],
    'that never start': [() => undefined, { code: 'registry/timeout' }],
    'of HTML, with 403': [
      ({ response }) => response.writeHead(403, { 'content-type': 'text/html' }).end('<h1>no</h1>'),
      { code: 'registry/denied' },
    ],
    'of nothing, with 404': [({ response }) => response.writeHead(404).end(), { code: 'registry/not-found' }],
  };
  for (const [what, [answer, error]] of Object.entries(lies)) {
    it(`${what}: refused, and nothing is left`, async () => {
      const registry = await atBlob(answer);
      await assert.rejects(copy(registry), error);
      assert.ok(!existsSync(join(folder, `copy-${copies}`)), 'something was left');
    });
  }
});

describe('blobs large enough for the hashing thread', () => {
  const content = randomBytes(17 * 1024 * 1024);
  const large = makeImage([content, randomBytes(100)]);

  it('are copied', async () => {
    const registry = await start();
    registry.hold('v1', large);
    assert.equal(await readImage(await copy(registry)), large.manifest.digest);
  });

  it('are refused when their last byte is another, and nothing is left', async () => {
    const registry = await start({
      misbehave(event) {
        if (event.kind !== 'get-blob' || !event.request.url?.includes(large.layers[0].digest)) return false;
        const flipped = Buffer.from(content);
        flipped[flipped.length - 1] ^= 1;
        event.response.writeHead(200, { 'content-length': flipped.length }).end(flipped);
        return true;
      },
    });
    registry.hold('v1', large);
    await assert.rejects(copy(registry), { code: 'store/digest-mismatch', exit: 1 });
    assert.ok(!existsSync(join(folder, `copy-${copies}`)), 'something was left');
  });
});
