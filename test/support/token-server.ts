/** A token server for the real registry: distribution "Token Authentication Specification", tokens signed with our key. */
import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestCertificates } from './certificates.ts';

export interface TokenServer {
  /** Options for `startRegistry`. */
  readonly tokenAuth: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly rootCertificates: string;
  };
  /** `scope` parameters of each request. */
  readonly asked: string[][];
  stop(): Promise<void>;
}

/** `allow` says which actions a scope `repository:PATH:ACTIONS` is granted. */
export async function startTokenServer(
  certificates: TestCertificates,
  allow: (path: string, actions: readonly string[], authorization: string | undefined) => readonly string[],
): Promise<TokenServer> {
  const asked: string[][] = [];
  const key = createPrivateKey(certificates.key);
  const x5c = [new X509Certificate(certificates.cert).raw.toString('base64')];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://token.invalid');
    const scopes = url.searchParams.getAll('scope');
    asked.push(scopes);
    const access = scopes.map((scope) => {
      const [type, name, actions] = scope.split(':');
      return { type, name, actions: allow(name, actions.split(','), request.headers.authorization) };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'test',
      sub: '',
      aud: 'registry',
      iat: now,
      nbf: now - 10,
      exp: now + 300,
      jti: randomUUID(),
      access,
    };
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ typ: 'JWT', alg: 'ES256', x5c })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString(
      'base64url',
    );
    response.end(JSON.stringify({ token: `${signed}.${signature}`, expires_in: 300 }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  return {
    tokenAuth: { realm, service: 'registry', issuer: 'test', rootCertificates: certificates.caFile },
    asked,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
