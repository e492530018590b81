/** A secret asked at the terminal without showing it. Reads /dev/tty, so standard input stays free for data. */
import { openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';
import { BootsealError } from '../errors.ts';

const ENTER = 0x0d;
const NEWLINE = 0x0a;
const END_OF_INPUT = 0x04;
const INTERRUPT = 0x03;
const BACKSPACE: ReadonlySet<number> = new Set([0x08, 0x7f]);
/** Longer than any passphrase; stops a file that was given as terminal. */
const MAX_BYTES = 4096;

export async function askSecret(question: string, signal: AbortSignal): Promise<string> {
  const descriptor = openTerminal();
  const input = new ReadStream(descriptor);
  const output = new WriteStream(descriptor);
  // Before the question: what is typed quickly must not be shown either.
  input.setRawMode(true);
  output.write(question);
  try {
    return await readLine(input, signal);
  } finally {
    input.setRawMode(false);
    output.write('\n');
    input.destroy();
  }
}

function openTerminal(): number {
  try {
    return openSync('/dev/tty', 'r+');
  } catch (cause) {
    throw new BootsealError(
      'usage/no-terminal',
      'a passphrase is needed and there is no terminal to ask at',
      {
        exit: 2,
        hint: 'give the passphrase in a file, see --help',
        cause,
      },
    );
  }
}

async function readLine(input: ReadStream, signal: AbortSignal): Promise<string> {
  const bytes: number[] = [];
  const stop = (): void => void input.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of input as AsyncIterable<Uint8Array>) {
      for (const byte of chunk) {
        if (byte === ENTER || byte === NEWLINE)
          return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
        // A raw terminal sends Control-C as a byte; the program treats it like every other interrupt.
        if (byte === INTERRUPT) process.emit('SIGINT', 'SIGINT');
        if (byte === INTERRUPT || (byte === END_OF_INPUT && bytes.length === 0)) throw interrupted();
        if (BACKSPACE.has(byte)) dropCharacter(bytes);
        else bytes.push(byte);
      }
      if (bytes.length > MAX_BYTES)
        throw new BootsealError('usage/secret-too-long', 'the passphrase is too long', { exit: 2 });
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  throw interrupted();
}

function interrupted(): BootsealError {
  return new BootsealError('usage/interrupted', 'no passphrase was given', { exit: 2 });
}

/** Removes one UTF-8 character: its continuation bytes (10xxxxxx) and its first byte. */
function dropCharacter(bytes: number[]): void {
  let last = bytes.pop();
  while (last !== undefined && (last & 0xc0) === 0x80) last = bytes.pop();
}
