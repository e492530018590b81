/**
 * A registry in memory that behaves, unless a test tells it not to: for what the real one cannot be made to do. It
 * records every request, so that a test can see what was sent where.
 */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer as createHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ManifestBlob } from '../../src/stores/image.ts';
import type { TestImage } from './test-image.ts';

export type RequestKind =
  | 'ping'
  | 'token'
  | 'tags'
  | 'get-manifest'
  | 'put-manifest'
  | 'head-blob'
  | 'get-blob'
  | 'start-upload'
  | 'send-chunk'
  | 'upload-status'
  | 'finish-upload'
  | 'cancel-upload'
  | 'other';

export interface SeenRequest {
  readonly kind: RequestKind;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

export interface Misbehaviour {
  readonly kind: RequestKind;
  /** How many requests of this kind came before. */
  readonly count: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly registry: HostileRegistry;
}

export interface HostileOptions {
  /** True: the request has been answered, or never will be. */
  readonly misbehave?: (event: Misbehaviour) => boolean;
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface HostileRegistry {
  readonly host: string;
  readonly url: string;
  readonly seen: SeenRequest[];
  /** By digest. */
  readonly blobs: Map<string, Uint8Array>;
  /** By tag and by digest, whatever the repository. */
  readonly manifests: Map<string, ManifestBlob>;
  /** Puts an image under a tag and under its digest. */
  hold(tag: string, image: TestImage): void;
  stop(): Promise<void>;
}

export async function startHostileRegistry(options: HostileOptions = {}): Promise<HostileRegistry> {
  const blobs = new Map<string, Uint8Array>();
  const manifests = new Map<string, ManifestBlob>();
  const uploads = new Map<string, Uint8Array[]>();
  const seen: SeenRequest[] = [];
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    const kind = kindOf(request);
    const count = seen.filter((each) => each.kind === kind).length;
    seen.push({ kind, method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    response.on('error', () => undefined);
    if (options.misbehave?.({ kind, count, request, response, registry }) === true) return;
    void body(request).then(
      (bytes) => answer(kind, request, response, bytes, { blobs, manifests, uploads }),
      () => undefined,
    );
  };
  const server: Server = options.tls ? createHttps(options.tls, handler) : createHttp(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const registry: HostileRegistry = {
    host,
    url: `${options.tls ? 'https' : 'http'}://${host}`,
    seen,
    blobs,
    manifests,
    hold(tag, image) {
      for (const [digest, bytes] of image.blobs) blobs.set(digest, bytes);
      manifests.set(tag, image.manifest);
      manifests.set(image.manifest.digest, image.manifest);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return registry;
}

function kindOf({ method, url = '' }: IncomingMessage): RequestKind {
  const path = url.replace(/\?.*$/s, '');
  if (path === '/v2/') return 'ping';
  if (path === '/token') return 'token';
  if (path.endsWith('/tags/list')) return 'tags';
  if (/\/manifests\/[^/]+$/.test(path)) return method === 'PUT' ? 'put-manifest' : 'get-manifest';
  if (path.endsWith('/blobs/uploads/')) return 'start-upload';
  if (/\/blobs\/uploads\/[^/]+$/.test(path)) {
    const kinds: Readonly<Record<string, RequestKind>> = {
      PATCH: 'send-chunk',
      PUT: 'finish-upload',
      DELETE: 'cancel-upload',
    };
    return kinds[method ?? ''] ?? 'upload-status';
  }
  if (/\/blobs\/[^/]+$/.test(path)) return method === 'HEAD' ? 'head-blob' : 'get-blob';
  return 'other';
}

async function body(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

interface Content {
  readonly blobs: Map<string, Uint8Array>;
  readonly manifests: Map<string, ManifestBlob>;
  readonly uploads: Map<string, Uint8Array[]>;
}

function answer(
  kind: RequestKind,
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  content: Content,
): void {
  const url = new URL(request.url ?? '/', 'http://registry.invalid');
  const name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
  switch (kind) {
    case 'ping':
      return send(response, 200, {}, '{}');
    case 'tags':
      return send(response, 200, {}, JSON.stringify({ name: 'x', tags: [...content.manifests.keys()] }));
    case 'get-manifest': {
      const manifest = content.manifests.get(name);
      if (manifest === undefined) return failure(response, 404, 'MANIFEST_UNKNOWN');
      return send(response, 200, { 'content-type': manifest.mediaType }, manifest.bytes);
    }
    case 'put-manifest': {
      const mediaType = request.headers['content-type'] ?? '';
      const manifest = { bytes: bytes, digest: sha256(bytes), mediaType };
      content.manifests.set(name, manifest);
      content.manifests.set(manifest.digest, manifest);
      return send(response, 201, { 'docker-content-digest': manifest.digest }, '');
    }
    case 'head-blob':
    case 'get-blob':
      return sendBlob(request, response, content.blobs.get(name));
    case 'start-upload': {
      const id = `upload-${randomUUID()}`;
      content.uploads.set(id, []);
      return send(response, 202, { location: `${url.pathname}${id}?state=a` }, '');
    }
    case 'send-chunk':
    case 'upload-status': {
      const upload = content.uploads.get(name);
      if (upload === undefined) return failure(response, 404, 'BLOB_UPLOAD_UNKNOWN');
      if (kind === 'send-chunk') upload.push(bytes);
      const headers = { location: url.pathname + url.search, range: `0-${Math.max(0, length(upload) - 1)}` };
      return send(response, kind === 'send-chunk' ? 202 : 204, headers, '');
    }
    case 'finish-upload': {
      const upload = content.uploads.get(name);
      if (upload === undefined) return failure(response, 404, 'BLOB_UPLOAD_UNKNOWN');
      const whole = Buffer.concat([...upload, bytes]);
      const digest = sha256(whole);
      if (digest !== url.searchParams.get('digest')) return failure(response, 400, 'DIGEST_INVALID');
      content.uploads.delete(name);
      content.blobs.set(digest, whole);
      return send(response, 201, { 'docker-content-digest': digest }, '');
    }
    case 'cancel-upload':
      content.uploads.delete(name);
      return send(response, 204, {}, '');
    case 'token':
    case 'other':
    default:
      return failure(response, 404, 'UNSUPPORTED');
  }
}

function sendBlob(request: IncomingMessage, response: ServerResponse, blob: Uint8Array | undefined): void {
  if (blob === undefined) return failure(response, 404, 'BLOB_UNKNOWN');
  const start = /^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1];
  const from = start === undefined ? 0 : Number(start);
  const range = start !== undefined && { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` };
  const headers = { 'content-length': String(blob.length - from), ...range };
  return send(
    response,
    start === undefined ? 200 : 206,
    headers,
    request.method === 'HEAD' ? '' : blob.subarray(from),
  );
}

export function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  content: Uint8Array | string,
): void {
  response.writeHead(status, headers).end(content);
}

export function failure(response: ServerResponse, status: number, code: string, message = ''): void {
  send(
    response,
    status,
    { 'content-type': 'application/json' },
    JSON.stringify({ errors: [{ code, message }] }),
  );
}

function sha256(bytes: Uint8Array): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function length(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
