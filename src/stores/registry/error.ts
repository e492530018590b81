/** What went wrong with a request, in words: system errors, replies, and which of them may pass by themselves. */
import { BootsealError, isBootsealError, type ErrorCode } from '../../errors.ts';
import { safeText, safeUrl } from './redact.ts';

interface Kind {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint: string;
}

const TLS_HINT =
  "add the registry's CA as certs.d/HOST:PORT/ca.crt or with --cert-dir; see containers-certs.d(5)";

/** Codes of Node, OpenSSL and undici that mean that the other end does not speak TLS. */
const NOT_TLS: readonly string[] = [
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'EPROTO',
];
const LOST: readonly string[] = [
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'UND_ERR_SOCKET',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
];
const SLOW: readonly string[] = [
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
];
const ABSENT: readonly string[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS_/;

/** The BootsealError for what a request threw. Codes: `registry/unreachable`, `…/timeout`, `…/connection-lost`, `…/tls`, … */
export function requestError(error: unknown, url: URL): unknown {
  if (isBootsealError(error)) return error;
  // An abort is the caller's own doing and stays what the caller made it.
  if (error instanceof Error && error.name === 'AbortError') return error;
  const kind = kindOf(errorCodes(error));
  return new BootsealError(kind.code, `${safeUrl(url)}: ${kind.text}`, { hint: kind.hint, cause: error });
}

function kindOf(codes: readonly string[]): Kind {
  const has = (list: readonly string[]): boolean => codes.some((code) => list.includes(code));
  if (has(NOT_TLS)) {
    return {
      code: 'registry/not-tls',
      text: 'server gave HTTP response to HTTPS client',
      hint: 'if this registry has no TLS and you accept that, say --tls-verify=false',
    };
  }
  if (codes.some((code) => CERTIFICATE.test(code))) {
    return { code: 'registry/tls', text: `certificate not accepted (${codes.join(', ')})`, hint: TLS_HINT };
  }
  if (has(SLOW)) {
    return {
      code: 'registry/timeout',
      text: 'timed out',
      hint: 'try again; the registry or the way to it is too slow',
    };
  }
  if (has(LOST)) {
    return {
      code: 'registry/connection-lost',
      text: 'connection lost',
      hint: 'try again',
    };
  }
  if (has(ABSENT)) {
    return {
      code: 'registry/unreachable',
      text: `cannot connect (${codes.join(', ')})`,
      hint: 'check the name and port of the registry, the network and the proxy settings',
    };
  }
  if (
    codes.some(
      (code) => code.startsWith('HPE_') || code.includes('OVERFLOW') || code.includes('CONTENT_LENGTH'),
    )
  ) {
    return {
      code: 'registry/bad-http',
      text: `reply is not proper HTTP (${codes.join(', ')})`,
      hint: 'is this a registry?',
    };
  }
  return {
    code: 'registry/request-failed',
    text: `request failed (${codes.join(', ') || 'no reason given'})`,
    hint: 'try again',
  };
}

/** Of the error, what caused it, and what it gathers. */
export function errorCodes(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  const own = typeof code === 'string' ? [safeText(code)] : [];
  const inner = Array.isArray(errors) ? errors.flatMap((each) => errorCodes(each, depth + 1)) : [];
  return [...new Set([...own, ...errorCodes(cause, depth + 1), ...inner])];
}

/** A reply of the registry that is no success. */
export interface FailedReply {
  readonly status: number;
  readonly url: URL;
  /** At most some KiB of the body. */
  readonly body: string;
  /** Milliseconds, from Retry-After. */
  readonly retryAfter?: number;
}

const waits = new WeakMap<object, number>();

/** `what` was being done, for example `reading manifest 10 in quay.io/acme/os`. */
export function replyError(reply: FailedReply, what: string): BootsealError {
  const said = serverMessage(reply.body);
  const error = new BootsealError(
    ...replyParts(reply.status, said.codes, `${what}: ${said.text || `HTTP ${reply.status}`}`),
    {
      hint: replyHint(reply.status, said.codes),
      where: safeUrl(reply.url),
    },
  );
  if (reply.retryAfter !== undefined) waits.set(error, reply.retryAfter);
  return error;
}

function replyParts(status: number, codes: readonly string[], message: string): [ErrorCode, string] {
  if (status === 401) return ['registry/unauthorized', message];
  if (status === 403) return ['registry/denied', message];
  if (codes.includes('MANIFEST_UNKNOWN')) return ['registry/manifest-unknown', message];
  if (codes.includes('NAME_UNKNOWN')) return ['registry/name-unknown', message];
  if (codes.includes('BLOB_UPLOAD_UNKNOWN')) return ['registry/upload-lost', message];
  if (status === 404) return ['registry/not-found', message];
  if (status === 405 || codes.includes('UNSUPPORTED')) return ['registry/unsupported', message];
  if (status === 413) return ['registry/too-large', message];
  if (status === 429) return ['registry/rate-limited', message];
  if (status >= 500) return ['registry/server-error', message];
  return ['registry/unexpected-status', message];
}

function replyHint(status: number, codes: readonly string[]): string {
  if (codes.includes('MANIFEST_BLOB_UNKNOWN'))
    return 'what the manifest names has to be there before it: copy all of an index (--all)';
  if (status === 401)
    return 'log in (podman login, skopeo login) or give --authfile; check that the password is right';
  if (status === 403) return 'your account may not do this; ask the owner of the repository';
  if (status === 404) return 'check the repository and the tag';
  if (status === 429) return 'the registry limits requests; log in or wait';
  if (status >= 500) return 'try again; if it stays, ask who runs the registry';
  return 'the registry refused the request';
}

/** OCI distribution-spec "Error Codes": `{"errors":[{"code","message","detail"}]}`. */
function serverMessage(body: string): { readonly text: string; readonly codes: readonly string[] } {
  try {
    const { errors } = JSON.parse(body) as { errors?: unknown };
    if (!Array.isArray(errors)) return { text: '', codes: [] };
    const known = errors.slice(0, 5) as readonly { code?: unknown; message?: unknown }[];
    const codes = known.flatMap(({ code }) => (typeof code === 'string' ? [code.slice(0, 60)] : []));
    const texts = known.map(({ code, message }) => {
      const name = typeof code === 'string' ? code.toLowerCase().replaceAll('_', ' ') : '';
      const text = typeof message === 'string' && message !== '' ? message : '';
      return name === '' || text.toLowerCase() === name ? text || name : `${name}: ${text}`;
    });
    return { text: safeText(texts.filter((text) => text !== '').join('; ')), codes };
  } catch {
    // A proxy's HTML page helps nobody: the status says enough.
    return { text: '', codes: [] };
  }
}

const PASSING: readonly ErrorCode[] = [
  'registry/connection-lost',
  'registry/timeout',
  'registry/rate-limited',
  'registry/server-error',
];

/** True for failures that another try may not meet. */
export function mayPass(error: unknown): boolean {
  return isBootsealError(error) && PASSING.includes(error.code);
}

/** Milliseconds that the server asked us to wait, if it did. */
export function askedToWait(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null ? waits.get(error) : undefined;
}
