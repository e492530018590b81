/**
 * HTTP/1.1 for the bodies of large blobs: one GET over a connection of its own, read straight into few buffers that
 * are used again and again. A gigabyte through a general client costs more in small new buffers than in hashing. What
 * is not plain (chunks, no length, odd header lines) is left to the general client: {@link getByWire} then gives
 * nothing, and has done nothing but ask.
 */
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { returnSharedBuffer, SHARED_BUFFER_SIZE, takeSharedBuffer } from '../shared-buffer.ts';
import {
  coded,
  tlsFields,
  type ExchangeReply,
  type ExchangeRequest,
  type ExchangeSettings,
} from './exchange.ts';

/**
 * Buffers of a connection: one is filled while another is used. What gathers while the reader is busy is one part:
 * with buffers of a quarter of the size, waking threads for each costs a third more processor time.
 */
const BUFFERS = 2;
/** Bytes that must be left in a buffer for one more read into it. TLS gives its records one by one, 16 KiB at most. */
const MIN_READ = 64 * 1024;
/** As much as Node allows for all header lines together. */
const MAX_HEAD = 16 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** Bytes of the body. */
  readonly length: number;
}

/** Throws what sockets throw, and errors with the codes of undici for what takes too long. */
export async function getByWire(
  request: ExchangeRequest,
  settings: ExchangeSettings,
): Promise<ExchangeReply | undefined> {
  request.signal?.throwIfAborted();
  const { timeouts } = settings;
  const wire = openWire(request, settings);
  try {
    await wire.connected(timeouts.connect);
    wire.send(requestText(request));
    const parts: Buffer[] = [];
    for (let length = 0; ;) {
      const part = await wire.next(request.headPatience, 'UND_ERR_HEADERS_TIMEOUT');
      if (part === undefined) throw coded('closed before the reply', 'ECONNRESET');
      // The buffer is used again, and a head may come in pieces.
      parts.push(Buffer.from(part));
      length += part.length;
      const bytes = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      const end = bytes.indexOf(HEAD_END);
      if (end < 0 && length <= MAX_HEAD) continue;
      const head = end < 0 || end > MAX_HEAD ? undefined : parseHead(bytes.toString('latin1', 0, end));
      if (head === undefined) {
        wire.close();
        return undefined;
      }
      // What follows the head, where it was read: not the copy, which other threads could not see.
      const first = part.subarray(part.length - (length - end - HEAD_END.length));
      return {
        status: head.status,
        headerAll: (name) => head.headers.get(name) ?? [],
        body: readBody(wire, first, head.length, timeouts.body),
        reusesChunks: true,
        discard() {
          wire.close();
          return Promise.resolve();
        },
        destroy: () => wire.close(),
      };
    }
  } catch (error) {
    wire.close();
    throw error;
  }
}

function requestText({ url, headers }: ExchangeRequest): string {
  const fields = { host: url.host, ...headers, connection: 'close' };
  const lines = Object.entries(fields).map(([name, value]) => {
    // Nothing that we send was written by a stranger, but a line end here would be a second request.
    if (/[\r\n\0]/.test(value)) throw coded(`line end in header ${name}`, 'ERR_INVALID_CHAR');
    return `${name}: ${value}\r\n`;
  });
  return `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Undefined for what is not a plain reply with one length. RFC 9112, sections 4 to 6, without the lenient parts. */
export function parseHead(text: string): Head | undefined {
  const [first, ...lines] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.1 ([2-5][0-9]{2})(?: [\t\x20-\x7e]*)?$/.exec(first)?.[1]);
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
    if (match === null) return undefined;
    const [, name, value] = match;
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value.trimEnd()]);
  }
  const lengths = headers.get('content-length');
  if (Number.isNaN(status) || headers.has('transfer-encoding') || lengths?.length !== 1) return undefined;
  if (!/^[0-9]{1,15}$/.test(lengths[0])) return undefined;
  return { status, headers, length: status === 204 || status === 304 ? 0 : Number(lengths[0]) };
}

async function* readBody(
  wire: Wire,
  first: Uint8Array,
  length: number,
  patience: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (let left = length, part: Uint8Array | undefined = first; ;) {
      // What follows the announced length is no part of it.
      const own = part.subarray(0, left);
      left -= own.length;
      if (own.length > 0) yield own;
      if (left === 0) return;
      part = await wire.next(patience, 'UND_ERR_BODY_TIMEOUT');
      if (part === undefined) throw coded(`closed with ${left} bytes missing`, 'ECONNRESET');
    }
  } finally {
    wire.close();
  }
}

interface Wire {
  connected(patience: number): Promise<void>;
  send(text: string): void;
  /** What came next; valid until the next call. Undefined at the end. `patience` in milliseconds. */
  next(patience: number, timeoutCode: string): Promise<Uint8Array | undefined>;
  close(): void;
}

/** Bytes that have arrived. The end moves while nobody has asked for them. */
interface Part {
  readonly buffer: Buffer;
  readonly start: number;
  end: number;
}

function openWire({ url, signal }: ExchangeRequest, { tls, lookup }: ExchangeSettings): Wire {
  const free: Buffer[] = [];
  /** Buffers that are not free: the one that is filled, those of `ready`, that in use. */
  let busy = 1;
  let filling: Buffer = takeSharedBuffer();
  const own = new Set([filling]);
  let filled = 0;
  const ready: Part[] = [];
  let inUse: Part | undefined;
  let isPaused = false;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  let isConnected = false;
  let isDone = false;
  let isClosed = false;

  const changed = (): void => {
    wake?.();
    wake = undefined;
  };
  const onread = {
    buffer: () => filling.subarray(filled),
    callback(length: number): boolean {
      const last = ready.at(-1);
      // What came since the reader last asked is one part, as far as it is in one buffer.
      if (last?.buffer === filling) last.end += length;
      else ready.push({ buffer: filling, start: filled, end: filled + length });
      filled += length;
      if (SHARED_BUFFER_SIZE - filled < MIN_READ) {
        // TLS hands over what it has decrypted even when it is asked to wait: never into a buffer that is in use.
        filling = free.pop() ?? takeSharedBuffer();
        own.add(filling);
        filled = 0;
        busy += 1;
      }
      changed();
      isPaused = busy > BUFFERS;
      return !isPaused;
    },
  };
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const common = { host, lookup, onread };
  const socket: Socket =
    tls === undefined
      ? connectPlain({ ...common, port: Number(url.port || 80) })
      : connectTls({
          ...common,
          port: Number(url.port || 443),
          ...tlsFields(tls),
          ALPNProtocols: ['http/1.1'],
          // RFC 6066: a server name is never an address.
          ...(!/^[0-9.]+$|:/.test(host) && { servername: host }),
        });
  socket.setNoDelay(true);
  socket.on(tls === undefined ? 'connect' : 'secureConnect', () => {
    isConnected = true;
    changed();
  });
  socket.on('error', (error) => {
    failure ??= { error };
    changed();
  });
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      ended = true;
      changed();
    });
  }
  /** Once nothing more can arrive, and the reader is done. */
  const returnBuffers = (): void => {
    if (!isClosed || !isDone) return;
    for (const buffer of own) returnSharedBuffer(buffer);
    own.clear();
  };
  socket.on('close', () => {
    // Not before: a socket that is told to end may still be in the middle of a read.
    isClosed = true;
    returnBuffers();
  });
  const aborted = (): void => {
    failure ??= { error: signal?.reason };
    socket.destroy();
    changed();
  };
  signal?.addEventListener('abort', aborted, { once: true });

  /** Waits until `done`, an error or the end of patience. */
  async function until(done: () => boolean, patience: number, code: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    while (!done()) {
      if (failure !== undefined) throw failure.error;
      timer ??= setTimeout(() => {
        failure ??= { error: coded('took too long', code) };
        changed();
      }, patience);
      await new Promise<void>((resolve) => (wake = resolve));
    }
    clearTimeout(timer);
  }

  /** The reader is done with a part of the buffer: with all of it, when no more is to come from there. */
  function release(buffer: Buffer): void {
    if (buffer === filling || ready[0]?.buffer === buffer) return;
    busy -= 1;
    free.push(buffer);
    if (!isPaused || busy > BUFFERS) return;
    isPaused = false;
    socket.resume();
  }

  return {
    connected: (patience) => until(() => isConnected, patience, 'UND_ERR_CONNECT_TIMEOUT'),
    send: (text) => void socket.write(text, 'latin1'),
    async next(patience, code) {
      if (inUse !== undefined) release(inUse.buffer);
      inUse = undefined;
      await until(() => ready.length > 0 || (ended && failure === undefined), patience, code);
      inUse = ready.shift();
      return inUse?.buffer.subarray(inUse.start, inUse.end);
    },
    close() {
      signal?.removeEventListener('abort', aborted);
      socket.destroy();
      isDone = true;
      returnBuffers();
    },
  };
}
