/** A registry that breaks, lies and stalls: always a clear error with a code and a hint, and never a hang. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { isBootsealError, type BootsealError } from '../../../src/errors.ts';
import { parseImageName } from '../../../src/formats/reference/image-name.ts';
import { copyImage } from '../../../src/sign/copy.ts';
import { openDestination, openSource, type TransportOptions } from '../../../src/stores/open.ts';
import {
  failure,
  send,
  startHostileRegistry,
  type HostileOptions,
  type HostileRegistry,
  type Misbehaviour,
  type RequestKind,
} from '../../support/hostile-registry.ts';
import { makeImage, pieces, putImage, readBlob, readImage } from '../../support/test-image.ts';

const IMPATIENT: TransportOptions = {
  timeouts: { connect: 1000, headers: 250, body: 250 },
  retry: { attempts: 3, firstDelay: 5, maxDelay: 20 },
};

const image = makeImage([randomBytes(5000), randomBytes(300_000)]);
let folder = '';
let registry: HostileRegistry | undefined;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bootseal-hostile-'));
});
afterEach(async () => {
  await registry?.stop();
  registry = undefined;
});
after(async () => {
  await rm(folder, { recursive: true });
});

async function start(misbehave?: HostileOptions['misbehave']): Promise<HostileRegistry> {
  registry = await startHostileRegistry({ ...(misbehave && { misbehave }) });
  registry.hold('1', image);
  return registry;
}

/** Reads all of the image, and expects that to fail as every failure must: coded, with a hint, in time. */
async function refusedRead({ host }: HostileRegistry): Promise<BootsealError> {
  return refused(readImage(`docker://${host}/acme/os:1`, IMPATIENT));
}

async function refused(work: Promise<unknown>): Promise<BootsealError> {
  const started = Date.now();
  const error: unknown = await work.then(
    () => assert.fail('was accepted'),
    (reason: unknown) => reason,
  );
  if (!isBootsealError(error)) throw error;
  assert.match(error.code, /^[a-z0-9]+\/[a-z0-9-]+$/);
  assert.ok(error.hint, `${error.code} has no hint`);
  assert.ok(Date.now() - started < 5000, 'took too long');
  return error;
}

describe('a registry that drops the connection', () => {
  const reading: readonly RequestKind[] = ['ping', 'get-manifest', 'get-blob'];
  const writing: readonly RequestKind[] = [
    'ping',
    'head-blob',
    'start-upload',
    'finish-upload',
    'put-manifest',
  ];
  const drop =
    (kind: RequestKind, times: number) =>
    ({ kind: actual, count, request }: Misbehaviour): boolean => {
      if (actual !== kind || count >= times) return false;
      request.socket.destroy();
      return true;
    };

  for (const kind of reading) {
    it(`once at ${kind}: the read succeeds`, async () => {
      const { host } = await start(drop(kind, 1));
      assert.equal(await readImage(`docker://${host}/acme/os:1`, IMPATIENT), image.manifest.digest);
    });
    it(`always at ${kind}: a clear error`, async () => {
      const error = await refusedRead(await start(drop(kind, Infinity)));
      assert.equal(error.code, 'registry/connection-lost');
      assert.equal(error.exit, 3);
    });
  }
  for (const kind of writing) {
    it(`once at ${kind}: the write succeeds`, async () => {
      const target = await start(drop(kind, 1));
      await putViaCopy(target, `once-${kind}`);
      assert.deepEqual(target.manifests.get('new')?.bytes, Buffer.from(image.manifest.bytes));
    });
    it(`always at ${kind}: a clear error, and no tag`, async () => {
      const target = await start(drop(kind, Infinity));
      const error = await refused(putViaCopy(target, `always-${kind}`));
      assert.equal(error.code, 'registry/connection-lost');
      assert.equal(target.manifests.get('new'), undefined);
    });
  }

  async function putViaCopy(target: HostileRegistry, name: string): Promise<void> {
    const layout = `oci:${join(folder, name)}`;
    await putImage(layout, image);
    target.blobs.clear();
    target.manifests.clear();
    const to = parseImageName(`docker://${target.host}/acme/os:new`);
    await copyImage({ from: parseImageName(layout), to }, { destinationTransport: IMPATIENT });
  }
});

describe('broken transfers', () => {
  it('go on by range within the same hash', async () => {
    const blob = image.layers[1];
    const target = await start(({ kind, count, request, response, registry: { blobs } }) => {
      if (kind !== 'get-blob' || !request.url?.endsWith(blob.digest) || count > 2) return false;
      const bytes = Buffer.from(blobs.get(blob.digest) ?? []);
      const from = Number(/[0-9]+/.exec(request.headers.range ?? '0')?.[0]);
      response.writeHead(from === 0 ? 200 : 206, {
        'content-length': String(bytes.length - from),
        ...(from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      });
      response.write(bytes.subarray(from, from + 100_000), () =>
        setTimeout(() => request.socket.destroy(), 20),
      );
      return true;
    });
    const source = await openSource(parseImageName(`${target.host}/acme/os:1`), IMPATIENT);
    assert.equal(await readBlob(source, blob), blob.digest.slice(7));
    const ranges = target.seen.filter(({ kind }) => kind === 'get-blob').map(({ headers }) => headers.range);
    assert.equal(ranges[0], undefined);
    assert.ok(
      ranges.length > 1 && ranges.slice(1).every((range) => /^bytes=[1-9][0-9]*-$/.test(range ?? '')),
    );
    await source.close();
  });

  it('start over, skipping what was had, where the registry knows no ranges', async () => {
    const blob = image.layers[1];
    const target = await start(({ kind, count, request, response, registry: { blobs } }) => {
      if (kind !== 'get-blob') return false;
      const bytes = Buffer.from(blobs.get(blob.digest) ?? []);
      response.writeHead(200, { 'content-length': String(bytes.length) });
      if (count > 0) response.end(bytes);
      else response.write(bytes.subarray(0, 100_000), () => setTimeout(() => request.socket.destroy(), 20));
      return true;
    });
    const source = await openSource(parseImageName(`${target.host}/acme/os:1`), IMPATIENT);
    assert.equal(await readBlob(source, blob), blob.digest.slice(7));
    await source.close();
  });

  it('end, where each try gives one byte more', async () => {
    const [blob] = image.layers;
    const target = await start(({ kind, request, response, registry: { blobs } }) => {
      if (kind !== 'get-blob' || request.url?.endsWith(blob.digest) !== true) return false;
      const bytes = Buffer.from(blobs.get(blob.digest) ?? []);
      const from = Number(/[0-9]+/.exec(request.headers.range ?? '0')?.[0]);
      const range = from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
      response.writeHead(from === 0 ? 200 : 206, { 'content-length': String(bytes.length - from), ...range });
      response.write(bytes.subarray(from, from + 1), () => setTimeout(() => request.socket.destroy(), 2));
      return true;
    });
    const source = await openSource(parseImageName(`${target.host}/acme/os:1`), {
      ...IMPATIENT,
      retry: { attempts: 3, firstDelay: 1, maxDelay: 1 },
    });
    assert.equal((await refused(readBlob(source, blob))).code, 'registry/connection-lost');
    await source.close();
  });

  it('refuse another range than the one asked for', async () => {
    const blob = image.layers[1];
    const target = await start(({ kind, count, request, response, registry: { blobs } }) => {
      if (kind !== 'get-blob') return false;
      const bytes = Buffer.from(blobs.get(blob.digest) ?? []);
      if (count === 0) {
        response.writeHead(200, { 'content-length': String(bytes.length) });
        response.write(bytes.subarray(0, 100_000), () => setTimeout(() => request.socket.destroy(), 20));
      } else {
        send(
          response,
          206,
          { 'content-range': `bytes 5-${bytes.length - 1}/${bytes.length}` },
          bytes.subarray(5),
        );
      }
      return true;
    });
    const source = await openSource(parseImageName(`${target.host}/acme/os:1`), IMPATIENT);
    assert.equal((await refused(readBlob(source, blob))).code, 'registry/bad-range');
    await source.close();
  });

  it('take a lost answer to the last request of an upload for what it was', async () => {
    const big = makeImage([randomBytes(9 * 1024 * 1024)]);
    const [layer] = big.layers;
    const target = await start(({ kind, count, request, response, registry: { blobs } }) => {
      if (kind !== 'finish-upload') return false;
      blobs.set(layer.digest, big.blobs.get(layer.digest) ?? new Uint8Array());
      if (count === 0) request.socket.destroy();
      else failure(response, 404, 'BLOB_UPLOAD_UNKNOWN');
      return true;
    });
    // The upload is gone with the answer.
    const destination = await openDestination(parseImageName(`${target.host}/acme/os:3`), IMPATIENT);
    await destination.putBlob(layer, pieces(big.blobs.get(layer.digest) ?? new Uint8Array()));
    await destination.abort();
  });

  it('resume a chunked upload where the registry says it stands', async () => {
    const big = makeImage([randomBytes(40 * 1024 * 1024)]);
    let dropped = 0;
    const target = await start(({ kind, count, request }) => {
      if (kind !== 'send-chunk' || count !== 1) return false;
      dropped += 1;
      request.once('data', () => request.socket.destroy());
      return true;
    });
    const destination = await openDestination(parseImageName(`${target.host}/acme/os:2`), IMPATIENT);
    await destination.putBlob(big.layers[0], pieces(big.blobs.get(big.layers[0].digest) ?? new Uint8Array()));
    await destination.abort();
    assert.equal(dropped, 1);
    assert.ok(target.seen.some(({ kind }) => kind === 'upload-status'));
    assert.ok(target.blobs.has(big.layers[0].digest));
  });
});

describe('a registry that lies', () => {
  it('reg-pin-body: other bytes under the right Docker-Content-Digest', async () => {
    const other = makeImage();
    const target = await start(({ kind, response }) => {
      if (kind !== 'get-manifest') return false;
      const headers = {
        'content-type': other.manifest.mediaType,
        'docker-content-digest': image.manifest.digest,
      };
      send(response, 200, headers, other.manifest.bytes);
      return true;
    });
    const byDigest = readImage(`docker://${target.host}/acme/os@${image.manifest.digest}`, IMPATIENT);
    const error = await refused(byDigest);
    assert.equal(error.code, 'store/digest-mismatch');
    assert.equal(error.exit, 1);
    // By tag the digest is that of the bytes, not that of the header.
    const source = await openSource(parseImageName(`${target.host}/acme/os:1`), IMPATIENT);
    assert.equal((await source.topManifest()).digest, other.manifest.digest);
    await source.close();
  });

  it('another blob of the same length', async () => {
    const target = await start();
    target.blobs.set(image.layers[0].digest, randomBytes(5000));
    const error = await refusedRead(target);
    assert.equal(error.code, 'store/digest-mismatch');
    assert.equal(error.exit, 1);
  });

  for (const [what, size] of [
    ['shorter', 4999],
    ['longer', 5001],
  ] as const) {
    it(`a ${what} blob, announced`, async () => {
      const target = await start();
      target.blobs.set(image.layers[0].digest, randomBytes(size));
      assert.equal((await refusedRead(target)).code, 'store/size-mismatch');
    });
  }

  it('a longer blob, not announced, without an end', async () => {
    const target = await start(({ kind, request, response }) => {
      if (kind !== 'get-blob') return false;
      const timer = setInterval(() => response.write(Buffer.alloc(65_536)), 1);
      request.socket.on('close', () => clearInterval(timer));
      return true;
    });
    assert.equal((await refusedRead(target)).code, 'store/size-mismatch');
  });

  it('more body than Content-Length', async () => {
    const blob = image.blobs.get(image.layers[0].digest) ?? new Uint8Array();
    const target = await start(({ kind, request }) => {
      if (kind !== 'get-blob') return false;
      request.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${blob.length}\r\n\r\n`);
      request.socket.write(
        Buffer.concat([blob, Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nextra')]),
      );
      return true;
    });
    const source = await openSource(parseImageName(`${target.host}/acme/os:1`), IMPATIENT);
    // What follows the announced length is not part of the blob, and is never taken for another answer.
    assert.equal(
      await readBlob(source, image.layers[0]).catch((error: BootsealError) => error.code),
      image.layers[0].digest.slice(7),
    );
    assert.notEqual(
      await readBlob(source, image.layers[1]).catch((error: BootsealError) => error.code),
      undefined,
    );
    await source.close();
  });

  for (const kind of ['get-manifest', 'tags'] as const) {
    it(`HTML instead of JSON at ${kind}`, async () => {
      const target = await start(({ kind: actual, response }) => {
        if (actual !== kind) return false;
        send(response, 200, { 'content-type': 'text/html' }, '<!doctype html><title>Log in</title>');
        return true;
      });
      if (kind === 'get-manifest') assert.equal((await refusedRead(target)).code, 'registry/not-json');
      else {
        const { openClient } = await import('../../../src/stores/registry/client.ts');
        const { listTags } = await import('../../../src/stores/registry/manifests.ts');
        const client = await openClient({ domain: target.host, path: 'acme/os' }, IMPATIENT);
        assert.equal((await refused(listTags(client))).code, 'registry/not-json');
        await client.close();
      }
    });
  }

  it('HTML at /v2/', async () => {
    const target = await start(({ kind, response }) => {
      if (kind !== 'ping') return false;
      send(response, 404, { 'content-type': 'text/html' }, '<h1>It works!</h1>');
      return true;
    });
    assert.equal((await refusedRead(target)).code, 'registry/no-api');
  });

  it('a manifest without an end', async () => {
    const target = await start(({ kind, request, response }) => {
      if (kind !== 'get-manifest') return false;
      response.writeHead(200, { 'content-type': image.manifest.mediaType });
      const timer = setInterval(() => response.write(Buffer.alloc(1 << 20, 0x20)), 1);
      request.socket.on('close', () => clearInterval(timer));
      return true;
    });
    assert.equal((await refusedRead(target)).code, 'store/too-large');
  });

  it('js-encoding: 1000 content codings, and one', async () => {
    for (const coding of [Array.from({ length: 1000 }, () => 'gzip').join(','), 'gzip', 'br, identity']) {
      const target = await start(({ kind, response }) => {
        if (kind !== 'get-manifest') return false;
        send(
          response,
          200,
          { 'content-encoding': coding, 'content-type': image.manifest.mediaType },
          image.manifest.bytes,
        );
        return true;
      });
      assert.equal((await refusedRead(target)).code, 'registry/encoding-refused');
      await target.stop();
      registry = undefined;
    }
  });

  it('reg-resolve-once: a tag that means something else at every request', async () => {
    const target = await start(({ kind, request, count, registry: { manifests } }) => {
      if (kind === 'get-manifest' && request.url?.endsWith('/1') === true && count > 0)
        manifests.set('1', makeImage().manifest);
      return false;
    });
    const to = parseImageName(`oci:${join(folder, 'once')}`);
    const result = await copyImage(
      { from: parseImageName(`${target.host}/acme/os:1`), to },
      {
        sourceTransport: IMPATIENT,
        // The judge looks at the same bytes that are then copied.
        admit: async (source, judged) => {
          assert.equal(judged.digest, image.manifest.digest);
          assert.equal((await source.topManifest()).digest, judged.digest);
          return { allowed: true, verified: false } as never;
        },
      },
    );
    assert.equal(result.digest, image.manifest.digest);
    assert.equal(
      target.seen.filter(({ kind, url }) => kind === 'get-manifest' && url.endsWith('/1')).length,
      1,
    );
  });

  it('reg-all-digests: manifest, config and layer altered, each alone', async () => {
    const alter = (bytes: Uint8Array): Uint8Array =>
      Buffer.from(bytes).fill(0x20, bytes.length - 3, bytes.length - 2);
    for (const which of ['manifest', 'config', 'layer'] as const) {
      const target = await start();
      const { digest } = image[which === 'layer' ? 'config' : which];
      const blob = which === 'layer' ? image.layers[0].digest : digest;
      if (which === 'manifest') {
        target.manifests.set(blob, { ...image.manifest, bytes: alter(image.manifest.bytes) });
      } else target.blobs.set(blob, alter(image.blobs.get(blob) ?? new Uint8Array()));
      const name = `docker://${target.host}/acme/os@${image.manifest.digest}`;
      assert.equal((await refused(readImage(name, IMPATIENT))).code, 'store/digest-mismatch', which);
      await target.stop();
      registry = undefined;
    }
  });
});

describe('a registry that stalls', () => {
  // undici looks at its clock once a second: one try each is slow enough.
  const once = { ...IMPATIENT, retry: { attempts: 1 } };

  for (const kind of ['ping', 'get-manifest', 'get-blob'] as const) {
    it(`never answers at ${kind}`, async () => {
      const target = await start(({ kind: actual }) => actual === kind);
      const error = await refused(readImage(`docker://${target.host}/acme/os:1`, once));
      assert.equal(error.code, 'registry/timeout');
    });
    if (kind === 'ping') continue;
    it(`stops in the middle at ${kind}`, async () => {
      const target = await start(({ kind: actual, response }) => {
        if (actual !== kind) return false;
        response
          .writeHead(200, { 'content-type': image.manifest.mediaType, 'content-length': '300000' })
          .write('{');
        return true;
      });
      const { code } = await refused(readImage(`docker://${target.host}/acme/os:1`, once));
      assert.equal(code, kind === 'get-blob' ? 'store/size-mismatch' : 'registry/timeout');
    });
  }

  for (const dripping of ['get-manifest', 'get-blob'] as const)
    it(`${dripping}: a body that drips in`, async () => {
      const target = await start(({ kind, request, response }) => {
        if (kind !== dripping) return false;
        const timer = setInterval(() => response.write(' '), 50);
        request.socket.on('close', () => clearInterval(timer));
        return true;
      });
      const error = await refused(readImage(`docker://${target.host}/acme/os:1`, once));
      assert.equal(error.code, 'registry/timeout');
    });

  it('429 with Retry-After, then the answer', async () => {
    const target = await start(({ kind, count, response }) => {
      if (kind !== 'get-manifest' || count > 0) return false;
      send(response, 429, { 'retry-after': '0' }, '{"errors":[{"code":"TOOMANYREQUESTS"}]}');
      return true;
    });
    assert.equal(await readImage(`docker://${target.host}/acme/os:1`, IMPATIENT), image.manifest.digest);
  });

  for (const [status, code] of [
    [429, 'registry/rate-limited'],
    [500, 'registry/server-error'],
    [503, 'registry/server-error'],
  ] as const) {
    it(`${status} for ever`, async () => {
      const target = await start(({ kind, response }) => {
        if (kind !== 'get-manifest') return false;
        failure(response, status, 'UNKNOWN', 'not today');
        return true;
      });
      const error = await refusedRead(target);
      assert.equal(error.code, code);
      assert.match(error.message, /not today/);
      assert.equal(target.seen.filter(({ kind }) => kind === 'get-manifest').length, 3);
    });
  }

  it('an error page without an end', async () => {
    const target = await start(({ kind, request, response }) => {
      if (kind !== 'get-manifest') return false;
      response.writeHead(403);
      const timer = setInterval(() => response.write(Buffer.alloc(65_536)), 1);
      request.socket.on('close', () => clearInterval(timer));
      return true;
    });
    assert.equal((await refusedRead(target)).code, 'registry/denied');
  });
});

describe('sigstore attachments', () => {
  const absent: readonly (readonly [status: number, code: string, message: string])[] = [
    [404, 'MANIFEST_UNKNOWN', 'manifest unknown'],
    [404, 'NAME_UNKNOWN', ''],
    [404, 'UNKNOWN', 'Not Found'],
    [400, 'UNKNOWN', 'repository acme/os not found'],
  ];
  for (const [status, code, message] of absent) {
    it(`${status} ${code} "${message}" means that there is none`, async () => {
      assert.equal(await attachmentAfter(status, code, message), undefined);
    });
  }

  const errors: readonly (readonly [status: number, code: string, error: string])[] = [
    [401, 'UNAUTHORIZED', 'registry/unauthorized'],
    [403, 'DENIED', 'registry/denied'],
    [400, 'UNKNOWN', 'registry/unexpected-status'],
    [500, 'UNKNOWN', 'registry/server-error'],
  ];
  for (const [status, code, error] of errors) {
    it(`${status} never passes for "not signed"`, async () => {
      assert.equal((await refused(attachmentAfter(status, code, 'not today'))).code, error);
    });
  }

  async function attachmentAfter(status: number, code: string, message: string): Promise<unknown> {
    const target = await start(({ kind, request, response }) => {
      if (kind !== 'get-manifest' || request.url?.endsWith('.sig') !== true) return false;
      failure(response, status, code, message);
      return true;
    });
    const source = await openSource(parseImageName(`${target.host}/acme/os:1`), IMPATIENT);
    try {
      return await source.attachment?.(image.manifest.digest);
    } finally {
      await source.close();
    }
  }
});

it('leaves no temporary files', async () => {
  for (const name of await readdir(folder, { recursive: true })) assert.ok(!name.endsWith('.tmp'), name);
});
