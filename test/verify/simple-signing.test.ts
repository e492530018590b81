/** Simple signatures of an image in a registry: look-aside servers that misbehave, and registries that keep signatures. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { openDestination } from '../../src/stores/open.ts';
import { verifyImage, type VerifyResult } from '../../src/verify/verify.ts';
import { startLookasideServer, type LookasideServer } from '../support/lookaside-server.ts';
import { startVectorRegistry } from '../support/policy-vectors.ts';
import { vectorPath } from '../support/project.ts';
import type { TestRegistry } from '../support/registry.ts';
import { dockerName } from '../support/signing.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bootseal-simple-')));
const manifest = '456b962f1a6e639d9451177189e31ee604bfa1aecd2f229626d1da5f326d7f46';
/** Good, by the key `ed`, for quay.io/org/app:v1. */
const good = readFileSync(vectorPath('policy', 'signatures', 'gpg-ed'));
const stranger = readFileSync(vectorPath('policy', 'signatures', 'gpg-outsider'));
const keyPath = vectorPath('policy', 'keys', 'gpg-ed.gpg');
let registry: TestRegistry;
let server: LookasideServer;
before(async () => {
  registry = await startVectorRegistry();
  server = await startLookasideServer(folder);
});
after(async () => {
  await server.stop();
  await registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

let rounds = 0;
async function verify(base: string, keyFile = keyPath, host = registry.host): Promise<VerifyResult> {
  const round = join(folder, `round-${++rounds}`);
  mkdirSync(join(round, 'registries.d'), { recursive: true });
  writeFileSync(join(round, 'registries.d/a.yaml'), `default-docker:\n  lookaside: ${base}\n`);
  const signedIdentity = { type: 'exactReference', dockerReference: 'quay.io/org/app:v1' };
  const requirement = { type: 'signedBy', keyType: 'GPGKeys', keyPath: keyFile, signedIdentity };
  writeFileSync(join(round, 'policy.json'), JSON.stringify({ default: [requirement] }));
  return verifyImage({
    image: dockerName(`${host}/org/app:v1`),
    policyFile: join(round, 'policy.json'),
    registriesDirectory: join(round, 'registries.d'),
  });
}

let stores = 0;
/** A store below the server's folder; returns its path there. */
function store(...signatures: readonly Uint8Array[]): string {
  const name = `store-${++stores}`;
  const place = join(folder, name, `org/app@sha256=${manifest}`);
  mkdirSync(place, { recursive: true });
  for (const [at, bytes] of signatures.entries()) writeFileSync(join(place, `signature-${at + 1}`), bytes);
  return name;
}

const web = (path: string): string => `http://${server.host}/${path}`;

test('a good one is found, and it is told where and why', async () => {
  const name = store(good);
  for (const base of [`file://${folder}/${name}`, web(name), web(`redirect/${name}`)]) {
    const result = await verify(base);
    assert(result.verified, result.message);
    assert.equal(result.verdict.signedBy?.keyFingerprint, 'B4149AEBF1F78A84178E0F28AB1A5D2F3ABCDB0A');
    assert.equal(result.verdict.signedBy?.keySource, keyPath);
    const [place] = result.judged[0].lookedIn;
    assert.match(place.setting ?? '', /^lookaside of default-docker in .*registries\.d\/a\.yaml$/);
    assert.equal(place.result, '1 signature');
  }
});

test('bad ones beside a good one do no harm', async () => {
  const other = Uint8Array.of(0xa3, 1, 2, 3);
  const version6 = readFileSync(vectorPath('policy', 'signatures', 'shape-signature-version-6'));
  for (const list of [
    [stranger, good],
    [other, good],
    [version6, stranger, other, good],
    [good, stranger],
    // A hundred times the same.
    Array.from({ length: 100 }, () => good),
  ]) {
    const result = await verify(web(store(...list)));
    assert(result.verified, result.message);
  }
  const none = await verify(web(store(stranger, other)));
  assert.match(
    none.message ?? '',
    /None of the signatures were accepted, reasons: Invalid GPG signature: no key/,
  );
});

test('html instead of a signature: refused, with a word on what the server must answer', async () => {
  const result = await verify(web('page'));
  assert(!result.allowed);
  assert.match(
    result.message ?? '',
    /parsing signature "http:.*signature-1": unrecognized signature format, starting with binary 0x3c$/,
  );
  const missing = await verify(web('html404'));
  assert.match(missing.message ?? '', /A signature was required, but no signature exists$/);
});

test('what is no signature at all ends the reading, even beside a good one', async () => {
  const result = await verify(web(store(good, Buffer.from('{}'))));
  assert(!result.allowed);
  assert.equal(result.reasonCode, 'trust/malformed-signature');
});

test('10,000 signatures, and a body without end', async () => {
  const asked = server.asked.length;
  const many = await verify(web(store(...Array.from({ length: 10_000 }, () => stranger))));
  assert(!many.allowed);
  assert.match(many.message ?? '', /server provided 128 signatures/);
  assert.equal(server.asked.length - asked, 128);
  const endless = await verify(web('endless'));
  assert.match(endless.message ?? '', /exceeded maximum allowed size of 4194304 bytes/);
});

test('a server that answers 403 gives no verdict', async () => {
  await assert.rejects(verify(web('status/403')), (error: unknown) => {
    assert(isBootsealError(error));
    assert.equal(error.code, 'lookaside/unexpected-status');
    assert.equal(error.exit, 3);
    assert.match(error.hint ?? '', /404/);
    return true;
  });
});

test('a secret key as keyring is refused by name', async () => {
  const result = await verify(web(store(good)), vectorPath('policy', 'keys', 'gpg-secret.gpg'));
  assert(!result.allowed);
  assert.equal(result.reasonCode, 'trust/secret-key');
  assert.match(result.message ?? '', /gpg-secret\.gpg: this is a secret key/);
});

test('a registry that keeps signatures itself is asked, and the look-aside store is not', async () => {
  const kept: Uint8Array[] = [];
  const proxy = await startKeepingRegistry(registry.host, kept);
  const host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    const base = web(store(good));
    const asked = server.asked.length;
    assert.match((await verify(base, keyPath, host)).message ?? '', /no signature exists/);
    // 1. Written through our own destination, one beside the other, each once.
    const destination = await openDestination(dockerName(`${host}/org/app:v1`));
    await destination.signatureExtension?.append(`sha256:${manifest}`, [stranger, good]);
    await destination.signatureExtension?.append(`sha256:${manifest}`, [good]);
    await destination.abort();
    assert.equal(kept.length, 2);
    // 2. Read.
    const result = await verify(base, keyPath, host);
    assert(result.verified, result.message);
    assert.match(result.judged[0].lookedIn[0].place, /\/extensions\/v2\/org\/app\/signatures\/sha256:/);
    assert.equal(server.asked.length, asked);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

test('a look-aside store is a folder of files: podman image sign and skopeo write the same', async () => {
  const made = join(folder, 'made');
  const from = vectorPath('policy', 'signatures', 'gpg-ed');
  mkdirSync(join(made, `org/app@sha256=${manifest}`), { recursive: true });
  cpSync(from, join(made, `org/app@sha256=${manifest}/signature-1`));
  assert((await verify(`file://${made}`)).verified);
});

/** The registry, with the header and the paths of OpenShift's before it. */
async function startKeepingRegistry(host: string, kept: Uint8Array[]): Promise<Server> {
  const proxy = createServer((incoming, response) => {
    const path = incoming.url ?? '/';
    if (path.startsWith('/extensions/v2/org/app/signatures/')) {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.on('end', () => {
        if (incoming.method === 'PUT') {
          const { content, type, schemaVersion } = JSON.parse(Buffer.concat(parts).toString()) as Record<
            string,
            string
          >;
          assert.deepEqual([type, schemaVersion], ['atomic', 2]);
          kept.push(Buffer.from(content, 'base64'));
          response.writeHead(201).end();
          return;
        }
        const signatures = kept.map((bytes, at) => {
          return {
            schemaVersion: 2,
            name: `x@${at}`,
            type: 'atomic',
            content: Buffer.from(bytes).toString('base64'),
          };
        });
        response.end(JSON.stringify({ signatures: [...signatures, { schemaVersion: 3, type: 'atomic' }] }));
      });
      return;
    }
    const [hostname, port] = host.split(':');
    const { method, headers } = incoming;
    const onward = forward({ hostname, port, path, method, headers: { ...headers, host } }, (reply) => {
      response.writeHead(reply.statusCode ?? 500, {
        ...reply.headers,
        'x-registry-supports-signatures': '1',
      });
      reply.pipe(response);
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return proxy;
}
