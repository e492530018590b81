/** Extended attributes of a whole tree: Node cannot read them, so getfattr(1) does, once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { BootsealError } from '../../errors.ts';
import { createXattrReader } from '../../formats/getfattr/reader.ts';
import { systemCode } from '../file-errors.ts';

/** Recursive and physical: no symbolic link is followed, links have attributes of their own. All namespaces. */
const ARGUMENTS = ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', '--', '.'];

const MAX_COMPLAINTS = 2048;

/**
 * Paths without leading slash, `''` the root. `rootFd` is an open directory. Throws `tree/no-getfattr`,
 * `tree/xattrs-unreadable`, `getfattr/malformed`.
 */
export async function readTreeXattrs(
  rootFd: number,
  onFile: (path: string, xattrs: ReadonlyMap<string, Uint8Array>) => void,
  signal?: AbortSignal,
): Promise<void> {
  const child = spawn('getfattr', ARGUMENTS, {
    cwd: `/proc/${process.pid}/fd/${rootFd}`,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    ...(signal && { signal }),
  });
  let failure: unknown;
  child.on('error', (error) => (failure ??= error));
  const closed = once(child, 'close') as Promise<[code: number | null, signal: string | null]>;
  closed.catch(() => undefined);
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (complaints.length < MAX_COMPLAINTS) complaints += text;
  });
  const reader = createXattrReader((path, xattrs) => {
    if (path === '.') onFile('', xattrs);
    else if (path.startsWith('./')) onFile(path.slice(2), xattrs);
    else throw new BootsealError('getfattr/malformed', 'getfattr named a file outside the tree');
  });
  try {
    for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) reader.push(chunk);
  } catch (error) {
    failure ??= error;
    child.kill('SIGKILL');
  }
  const [code] = await closed.catch(() => [null]);
  signal?.throwIfAborted();
  if (systemCode(failure) === 'ENOENT') throw noGetfattr(failure);
  if (failure !== undefined) throw failure;
  if (code !== 0) {
    const [first = 'no reason given'] = complaints.split('\n');
    throw new BootsealError(
      'tree/xattrs-unreadable',
      `extended attributes cannot be read: ${first.slice(0, 500)}`,
      {
        hint: 'run as a user who may read them',
      },
    );
  }
  reader.end();
}

function noGetfattr(cause: unknown): BootsealError {
  return new BootsealError(
    'tree/no-getfattr',
    'extended attributes are part of the digest, and reading them takes getfattr',
    {
      hint: 'install it: apt-get install attr (dnf install attr, apk add attr)',
      cause,
    },
  );
}
