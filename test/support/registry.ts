/** A real registry (Debian's docker-registry, the reference implementation) on a free loopback port. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { once } from 'node:events';

export interface RegistryOptions {
  /** Demand {@link REGISTRY_USER} and {@link REGISTRY_PASSWORD} by HTTP basic authentication. */
  readonly basicAuth?: boolean;
  /** Demand bearer tokens of this issuer. */
  readonly tokenAuth?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    /** PEM file of the certificates that may sign tokens. */
    readonly rootCertificates: string;
  };
  /** Serve https with these PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Refuse every write. */
  readonly readOnly?: boolean;
}

export interface TestRegistry {
  /** `127.0.0.1:PORT`, to put before a repository. */
  readonly host: string;
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  /** Folder of the registry's files; below `data/` lies `docker/registry/v2`. */
  readonly folder: string;
  stop(): Promise<void>;
}

export const REGISTRY_USER = 'alice';
export const REGISTRY_PASSWORD = 'correct horse';
/** bcrypt of the password above, 16 rounds: a test need not be slow. */
const HTPASSWD = `${REGISTRY_USER}:$2b$04$Np0yBvfL7LxNvBCtEwj9JO77RQ1EncJExdpZfhYQfOQmG.gcMy0N2\n`;

/** Starts a registry with deletion enabled and no authentication, unless told otherwise. Stop it in `after`. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const program = findProgram('docker-registry');
  const folder = await mkdtemp(join(tmpdir(), 'bootseal-registry-'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'htpasswd'), HTPASSWD);
  // Another process may take the free port first: try again with another one.
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    await writeFile(join(folder, 'config.yml'), configuration(folder, port, options));
    // To a file: nobody empties a pipe while a test waits in spawnSync, and a registry that cannot log hangs.
    const log = openSync(join(folder, 'log'), 'w');
    const child = spawn(program, ['serve', join(folder, 'config.yml')], { stdio: ['ignore', 'ignore', log] });
    closeSync(log);
    const host = `127.0.0.1:${port}`;
    const url = `${options.tls ? 'https' : 'http'}://${host}`;
    if (await answers(url, child)) return { host, url, folder, stop: () => stop(child, folder) };
    await stop(child);
    if (attempt === 3) {
      const words = (await readFile(join(folder, 'log'), 'utf8')).slice(-4000);
      await rm(folder, { recursive: true, force: true });
      throw new Error(`docker-registry did not start:\n${words}`);
    }
  }
}

function configuration(folder: string, port: number, options: RegistryOptions): string {
  const lines = [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    'storage:',
    `  filesystem: { rootdirectory: ${JSON.stringify(join(folder, 'data'))} }`,
    '  delete: { enabled: true }',
    `  maintenance: { readonly: { enabled: ${options.readOnly === true} }, uploadpurging: { enabled: false } }`,
    'http:',
    `  addr: 127.0.0.1:${port}`,
    `  secret: ${'test'.repeat(8)}`,
  ];
  if (options.tls) {
    lines.push(`  tls: ${JSON.stringify({ certificate: options.tls.certificate, key: options.tls.key })}`);
  }
  if (options.basicAuth === true) {
    lines.push(`auth: { htpasswd: { realm: test, path: ${JSON.stringify(join(folder, 'htpasswd'))} } }`);
  }
  if (options.tokenAuth) {
    const { realm, service, issuer, rootCertificates } = options.tokenAuth;
    lines.push(
      `auth: ${JSON.stringify({ token: { realm, service, issuer, rootcertbundle: rootCertificates } })}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function findProgram(name: string): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/sbin'];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is missing: sudo apt-get install -y ${name}`);
  return found;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Waits until the API answers, at most 15 seconds; false when the process ends first. */
async function answers(url: string, child: ChildProcess): Promise<boolean> {
  for (let waited = 0; waited < 15_000 && child.exitCode === null; waited += 50) {
    if (await ping(url)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

function ping(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    // The certificate is the test's own; only liveness matters here.
    const request = url.startsWith('https:')
      ? httpsGet(`${url}/v2/`, { rejectUnauthorized: false, agent: false })
      : httpGet(`${url}/v2/`, { agent: false });
    request.on('response', (response) => {
      response.resume();
      resolve(true);
    });
    request.on('error', () => resolve(false));
  });
}

async function stop(child: ChildProcess, folder?: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}
