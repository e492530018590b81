/** A web server with a look-aside store, and with the faults that such servers have. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface LookasideServer {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Paths asked for, in order. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

const TOO_LARGE = 4 * 1024 * 1024 + 1;

/**
 * Serves the files below `folder`. `/status/N/…` answers N, `/html/PATH` a file as text/html, `/html404/…` a page with
 * status 404, `/redirect/PATH` a 302 to `/PATH`, `/big/…` 4 MiB and a byte, `/endless/…` bytes without end.
 */
export async function startLookasideServer(folder: string): Promise<LookasideServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(folder, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    asked,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answer(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
  const [, first = '', ...others] = path.split('/');
  const rest = others.join('/');
  const html = { 'content-type': 'text/html' };
  switch (first) {
    case 'status':
      response.writeHead(Number(others[0])).end();
      return;
    case 'redirect':
      response.writeHead(302, { location: `/${rest}` }).end();
      return;
    case 'circle':
      response.writeHead(302, { location: request.url }).end();
      return;
    case 'big':
      response.writeHead(200).end(Buffer.alloc(TOO_LARGE, 0xa3));
      return;
    case 'endless': {
      response.writeHead(200);
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536, 0xa3)));
      };
      response.on('drain', more);
      more();
      return;
    }
    case 'page':
      response.writeHead(200, html).end('<html>not found</html>');
      return;
    case 'html404':
      response.writeHead(404, html).end('<html>not found</html>');
      return;
    default:
      sendFile(response, join(folder, first === 'html' ? rest : path), first === 'html' ? html : {});
  }
}

function sendFile(response: ServerResponse, file: string, headers: Readonly<Record<string, string>>): void {
  try {
    const bytes = readFileSync(file);
    response.writeHead(200, headers).end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}
