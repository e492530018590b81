/** Bulk downloads: replies cut at any place, odd ones left to the general client, and nothing believed. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { lookup } from 'node:dns';
import { getByWire, parseHead } from '../../../src/stores/registry/wire.ts';
import type { ExchangeReply, ExchangeSettings } from '../../../src/stores/registry/exchange.ts';
import { makeCertificates } from '../../support/certificates.ts';

describe('the head of a reply', () => {
  const head = (...lines: string[]): ReturnType<typeof parseHead> => parseHead(lines.join('\r\n'));
  it('is read when it is plain', () => {
    const found = head('HTTP/1.1 206 Partial Content', 'Content-Length: 12', 'X-A: 1', 'x-a:  2 ');
    assert.equal(found?.status, 206);
    assert.equal(found.length, 12);
    assert.deepEqual(found.headers.get('x-a'), ['1', '2']);
  });
  const odd: Readonly<Record<string, readonly string[]>> = {
    chunks: ['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'],
    'chunks and a length': ['HTTP/1.1 200 OK', 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    'two lengths': ['HTTP/1.1 200 OK', 'Content-Length: 5', 'Content-Length: 5'],
    'a negative length': ['HTTP/1.1 200 OK', 'Content-Length: -5'],
    'no length': ['HTTP/1.1 200 OK'],
    'a folded line': ['HTTP/1.1 200 OK', 'Content-Length: 5', ' folded'],
    'a space before the colon': ['HTTP/1.1 200 OK', 'Content-Length : 5'],
    'an interim reply': ['HTTP/1.1 100 Continue', 'Content-Length: 0'],
    'another version': ['HTTP/1.0 200 OK', 'Content-Length: 5'],
    'a control character': ['HTTP/1.1 200 OK', 'Content-Length: 5', 'A: \u0007'],
  };
  for (const [what, lines] of Object.entries(odd)) {
    it(`${what}: not for us`, () => assert.equal(head(...lines), undefined));
  }
});

/** More than all buffers hold. */
const bytes = randomBytes(9_000_001);
let server: Server;
let tlsServer: Server;
let ca = '';
/** What the server does with a connection that has sent a request. */
let answer: (socket: Socket, request: string) => unknown = () => undefined;

before(async () => {
  const onConnection = (socket: Socket): void => {
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
      if (text.includes('\r\n\r\n')) answer(socket, text);
    });
  };
  const certificates = makeCertificates();
  certificates.remove();
  ca = certificates.ca;
  server = createServer(onConnection).listen(0, '127.0.0.1');
  tlsServer = createTlsServer({ cert: certificates.cert, key: certificates.key }, onConnection).listen(
    0,
    '127.0.0.1',
  );
  await Promise.all([once(server, 'listening'), once(tlsServer, 'listening')]);
});
after(() => {
  server.close();
  tlsServer.close();
});

function get(
  options: { tls?: ExchangeSettings['tls']; body?: number; head?: number; signal?: AbortSignal } = {},
): Promise<ExchangeReply | undefined> {
  const { port } = (options.tls ? tlsServer : server).address() as AddressInfo;
  const url = new URL(`${options.tls ? 'https' : 'http'}://127.0.0.1:${port}/v2/a/blobs/x?y=1`);
  return getByWire(
    {
      url,
      method: 'GET',
      headers: { range: 'bytes=5-' },
      headPatience: options.head ?? 2000,
      ...(options.signal && { signal: options.signal }),
    },
    { tls: options.tls, lookup, timeouts: { connect: 2000, headers: 2000, body: options.body ?? 2000 } },
  );
}

async function hashOf(reply: ExchangeReply | undefined, pause = 0): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of reply?.body ?? assert.fail('no reply')) {
    // A buffer that were filled too early would change under our eyes.
    assert.ok(part.buffer instanceof SharedArrayBuffer, 'threads cannot share it');
    const before_ = createHash('sha256').update(part).digest('hex');
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    assert.equal(createHash('sha256').update(part).digest('hex'), before_);
    hash.update(part);
  }
  return hash.digest('hex');
}

const wanted = createHash('sha256').update(bytes).digest('hex');
const HEAD = `HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`;

describe('a body', () => {
  it('comes whole, whatever the pieces, and the request is what was asked', async () => {
    let asked = '';
    answer = (socket, request) => {
      asked = request;
      socket.write(HEAD.slice(0, 20));
      setTimeout(() => {
        socket.write(Buffer.concat([Buffer.from(HEAD.slice(20)), bytes.subarray(0, 10)]));
        socket.write(bytes.subarray(10));
      }, 20);
    };
    assert.equal(await hashOf(await get()), wanted);
    assert.match(
      asked,
      /^GET \/v2\/a\/blobs\/x\?y=1 HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nrange: bytes=5-\r\nconnection: close\r\n\r\n$/,
    );
  });

  it('after body uses the same memory again', async () => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(HEAD), bytes]));
    const seen = new Set<ArrayBufferLike>();
    for (let time = 0; time < 12; time += 1) {
      const hash = createHash('sha256');
      for await (const part of (await get())?.body ?? assert.fail('no reply')) {
        seen.add(part.buffer);
        hash.update(part);
        // Every third is not read to its end.
        if (time % 3 === 2) break;
      }
      if (time % 3 !== 2) assert.equal(hash.digest('hex'), wanted);
    }
    // Three for a connection, and those of one that is not quite closed when the next begins.
    assert.ok(seen.size <= 6, `${seen.size} buffers`);
  });

  it('waits for a slow reader, and is not overwritten meanwhile', async () => {
    answer = (socket) => {
      socket.write(HEAD);
      socket.write(bytes);
    };
    assert.equal(await hashOf(await get(), 5), wanted);
  });

  it('takes no more memory for a body of any length', async () => {
    answer = (socket) => {
      socket.write(HEAD);
      socket.write(bytes);
    };
    const buffers = new Set<ArrayBufferLike>();
    for await (const part of (await get())?.body ?? assert.fail()) {
      buffers.add(part.buffer);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    // Two, one that was made while both were taken, and the copy of the first bytes.
    assert.ok(buffers.size <= 4, `${buffers.size} buffers`);
  });

  it('waits for a slow reader over TLS as well', async () => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(HEAD), bytes]));
    assert.equal(await hashOf(await get({ tls: { rejectUnauthorized: true, ca: [ca] } }), 1), wanted);
  });

  it('comes over TLS; a certificate that is not known is refused', async () => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(HEAD), bytes]));
    assert.equal(await hashOf(await get({ tls: { rejectUnauthorized: true, ca: [ca] } })), wanted);
    await assert.rejects(get({ tls: { rejectUnauthorized: true } }), { code: /CERT|UNABLE|SELF_SIGNED/ });
  });

  it('ends at the announced length, whatever follows', async () => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(HEAD), bytes, randomBytes(100_000)]));
    assert.equal(await hashOf(await get()), wanted);
  });

  it('cut short is an error, not an end', async () => {
    answer = (socket) => socket.end(Buffer.concat([Buffer.from(HEAD), bytes.subarray(0, 1_000_000)]));
    await assert.rejects(
      get().then((reply) => hashOf(reply)),
      { code: 'ECONNRESET' },
    );
  });

  it('that stops, or a head that never comes, is waited for so long only', async () => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(HEAD), bytes.subarray(0, 1000)]));
    await assert.rejects(
      get({ body: 100 }).then((reply) => hashOf(reply)),
      { code: 'UND_ERR_BODY_TIMEOUT' },
    );
    answer = () => undefined;
    await assert.rejects(get({ head: 100 }), { code: 'UND_ERR_HEADERS_TIMEOUT' });
  });

  it('is given up on an interrupt', async () => {
    answer = (socket) => socket.write(Buffer.concat([Buffer.from(HEAD), bytes.subarray(0, 1000)]));
    const stop = new AbortController();
    const reading = get({ signal: stop.signal }).then((reply) => hashOf(reply));
    setTimeout(() => stop.abort(new Error('stopped')), 50);
    await assert.rejects(reading, { message: 'stopped' });
  });

  it('with a head without end is left to the general client', async () => {
    answer = (socket) => socket.write(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(40_000)}`);
    assert.equal(await get(), undefined);
  });
});
