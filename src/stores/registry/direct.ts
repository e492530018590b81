/**
 * HTTP requests without a proxy, over Node's own client: importing undici costs 60 ms and 20 MiB, which is much beside
 * verifying one image. What takes too long ends with the codes that undici has for it.
 */
import type { Agent, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import {
  coded,
  CONNECTIONS,
  IDLE,
  tlsFields,
  type Exchange,
  type ExchangeReply,
  type ExchangeRequest,
  type ExchangeSettings,
} from './exchange.ts';

export async function makeDirectExchange({ tls, lookup, timeouts }: ExchangeSettings): Promise<Exchange> {
  const http = await import('node:http');
  const https = tls && (await import('node:https'));
  const shared = { keepAlive: true, maxSockets: CONNECTIONS, timeout: IDLE, lookup };
  const agent: Agent =
    tls && https ? new https.Agent({ ...shared, ...tlsFields(tls) }) : new http.Agent(shared);
  const request = https?.request ?? http.request;

  function sendOnce(asked: ExchangeRequest): Promise<ExchangeReply | 'stale'> {
    const { url, method, body, signal } = asked;
    const headers: OutgoingHttpHeaders = { ...asked.headers };
    if (body !== undefined || method === 'POST') headers['content-length'] = body?.length ?? 0;
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, agent, ...(signal && { signal }) });
      let timer: NodeJS.Timeout | undefined;
      const within = (milliseconds: number, code: string): void => {
        clearTimeout(timer);
        timer = setTimeout(() => sent.destroy(coded('took too long', code)), milliseconds);
      };
      const answer = (): void => within(asked.headPatience, 'UND_ERR_HEADERS_TIMEOUT');
      sent.on('socket', (socket) => {
        if (!socket.connecting) return answer();
        within(timeouts.connect, 'UND_ERR_CONNECT_TIMEOUT');
        socket.once(tls === undefined ? 'connect' : 'secureConnect', answer);
        return undefined;
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        // The server closed an idle connection just when we used it again: it has not seen the request.
        const isStale = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        if (isStale && (method === 'GET' || method === 'HEAD')) resolve('stale');
        else reject(error);
      });
      sent.on('response', (reply: IncomingMessage) => {
        clearTimeout(timer);
        resolve(wrap(reply, timeouts.body));
      });
      sent.end(body);
    });
  }

  return {
    async send(asked) {
      for (let attempt = 1; ; attempt += 1) {
        const reply = await sendOnce(asked);
        if (reply !== 'stale') return reply;
        // As many idle connections as there can be may have gone the same way.
        if (attempt > CONNECTIONS) throw coded('closed again and again', 'ECONNRESET');
      }
    },
    close() {
      agent.destroy();
      return Promise.resolve();
    },
  };
}

function wrap(reply: IncomingMessage, patience: number): ExchangeReply {
  // The stream tells of an abort by an error event even when nobody reads it.
  reply.on('error', () => undefined);
  return {
    status: reply.statusCode ?? 0,
    headerAll: (name) => reply.headersDistinct[name] ?? [],
    body: patientBody(reply, patience),
    reusesChunks: false,
    async discard(limit, milliseconds) {
      let length = 0;
      const timer = setTimeout(() => reply.destroy(), milliseconds);
      try {
        for await (const part of reply) {
          length += (part as Uint8Array).length;
          if (length > limit) break;
        }
      } catch {
        // It was not wanted.
      } finally {
        clearTimeout(timer);
      }
    },
    destroy: () => void reply.destroy(),
  };
}

/** `patience` in milliseconds counts only while we wait for the server. */
async function* patientBody(
  reply: IncomingMessage,
  patience: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const parts = reply[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  try {
    for (;;) {
      const timer = setTimeout(() => reply.destroy(coded('took too long', 'UND_ERR_BODY_TIMEOUT')), patience);
      try {
        const step = await parts.next();
        if (step.done === true) return;
        clearTimeout(timer);
        yield step.value;
      } finally {
        clearTimeout(timer);
      }
    }
  } finally {
    await parts.return?.();
  }
}
