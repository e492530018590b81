/** Requests through the proxy that the environment names: undici knows how, and is loaded only then. */
import { CONNECTIONS, IDLE, tlsFields, type Exchange, type ExchangeSettings } from './exchange.ts';

export async function makeProxiedExchange({ tls, timeouts }: ExchangeSettings): Promise<Exchange> {
  const { EnvHttpProxyAgent, request } = await import('undici');
  const dispatcher = new EnvHttpProxyAgent({
    headersTimeout: timeouts.headers,
    bodyTimeout: timeouts.body,
    allowH2: false,
    connections: CONNECTIONS,
    keepAliveTimeout: IDLE,
    ...(tls && { requestTls: tlsFields(tls) }),
  });
  return {
    async send({ url, method, headers, body, headPatience, signal }) {
      const reply = await request(url, {
        dispatcher,
        method: method as 'GET',
        headers,
        headersTimeout: headPatience,
        ...(body && { body }),
        ...(signal && { signal }),
      });
      // The stream tells of an abort by an error event even when nobody reads it.
      reply.body.on('error', () => undefined);
      return {
        status: reply.statusCode,
        headerAll(name) {
          const value = reply.headers[name];
          return value === undefined ? [] : Array.isArray(value) ? value : [value];
        },
        body: reply.body,
        reusesChunks: false,
        async discard(limit, patience) {
          await reply.body.dump({ limit, signal: AbortSignal.timeout(patience) }).catch(() => undefined);
        },
        destroy: () => void reply.body.destroy(),
      };
    },
    close: () => dispatcher.destroy(),
  };
}
