/** Requests through the proxy that the environment or registries.conf names: undici knows how, and is loaded only then. */
import { BootsealError } from '../../errors.ts';
import { CONNECTIONS, IDLE, tlsFields, type Exchange, type ExchangeSettings } from './exchange.ts';

export async function makeProxiedExchange(
  { tls, timeouts }: ExchangeSettings,
  proxy: string | undefined,
): Promise<Exchange> {
  if (proxy !== undefined && !/^https?:/.test(proxy)) {
    throw new BootsealError('registry/proxy-unsupported', 'registries.conf names a SOCKS proxy', {
      hint: 'only http and https proxies can be used; going around the proxy would not be what was asked',
    });
  }
  const { EnvHttpProxyAgent, ProxyAgent, request } = await import('undici');
  const common = {
    headersTimeout: timeouts.headers,
    bodyTimeout: timeouts.body,
    allowH2: false,
    connections: CONNECTIONS,
    keepAliveTimeout: IDLE,
    ...(tls && { requestTls: tlsFields(tls) }),
  };
  const dispatcher =
    proxy === undefined ? new EnvHttpProxyAgent(common) : new ProxyAgent({ ...common, uri: proxy });
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
