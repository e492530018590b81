/** The program as a process: pipes that close, full disks, signals, secrets at a terminal. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

function shell(command: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('bash', ['-o', 'pipefail', '-c', command], {
    encoding: 'utf8',
    env: { ...process.env, BOOTSEAL: program, NODE: process.execPath },
  });
}

test('a reader that goes away is no error', () => {
  const { status, stderr } = shell('"$NODE" "$BOOTSEAL" completion bash | true');
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('a full disk is one: status 3', () => {
  const { status, stderr } = shell('"$NODE" "$BOOTSEAL" completion bash > /dev/full');
  assert.match(stderr, /^error: standard output: ENOSPC/);
  assert.equal(status, 3);
});

interface Silent {
  readonly server: Server;
  readonly port: number;
  connected(): Promise<void>;
  close(): void;
}

/** A registry that takes the connection and says nothing. */
async function silentRegistry(): Promise<Silent> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async connected() {
      for (let i = 0; sockets.length === 0; i++) {
        assert.ok(i < 500, 'the program does not ask the registry');
        await sleep(20);
      }
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function output(child: ChildProcess): Promise<string> {
  let text = '';
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk));
  await once(child, 'close');
  return text;
}

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(
    `${signal} ends a command that waits: status ${expected}, nothing left behind`,
    { timeout: 20_000 },
    async () => {
      const registry = await silentRegistry();
      const folder = mkdtempSync(join(tmpdir(), 'bootseal-signal-'));
      try {
        const policy = join(folder, 'policy.json');
        writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
        const args = [
          'copy',
          '--policy',
          policy,
          `docker://127.0.0.1:${registry.port}/acme/os:1`,
          'oci:image:1',
        ];
        const child = spawn(process.execPath, [program, ...args], {
          cwd: folder,
          env: { ...process.env, TMPDIR: folder },
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        const stderr = output(child);
        await registry.connected();
        child.kill(signal);
        assert.match(await stderr, /^interrupted/m);
        assert.equal(child.exitCode, expected);
        assert.deepEqual(readdirSync(folder), ['policy.json']);
      } finally {
        registry.close();
        rmSync(folder, { recursive: true });
      }
    },
  );
}

test('a passphrase is asked at the terminal and not shown', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bootseal-secret-'));
  try {
    const command = `'${process.execPath}' '${program}' key generate sigstore --output-prefix acme`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder, stdio: 'pipe' });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      shown += chunk;
      // Typed after each question, as a person would.
      if (/(key \(empty for none\)|again): $/.test(shown)) child.stdin.write('hush-hush\r');
    });
    await once(child, 'close');
    assert.equal(child.exitCode, 0, shown);
    assert.doesNotMatch(shown, /hush/);
    assert.ok(existsSync(join(folder, 'acme.private')));
    assert.doesNotMatch(readFileSync(join(folder, 'acme.private'), 'utf8'), /hush/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('Control-C at the question is an interrupt: status 130', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bootseal-secret-'));
  try {
    const command = `'${process.execPath}' '${program}' key generate sigstore --output-prefix acme`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder, stdio: 'pipe' });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      shown += chunk;
      if (shown.endsWith('(empty for none): ')) child.stdin.write('half\u0003');
    });
    await once(child, 'close');
    assert.match(shown, /interrupted/);
    assert.equal(child.exitCode, 130);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('without a terminal a passphrase must come from a file: status 2', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bootseal-secret-'));
  try {
    const args = [process.execPath, program, 'key', 'generate', 'sigstore', '--output-prefix', 'acme'];
    const { status, stderr } = spawnSync('setsid', ['--wait', ...args], {
      cwd: folder,
      encoding: 'utf8',
      input: '',
    });
    assert.match(stderr, /there is no terminal to ask at/);
    assert.equal(status, 2);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('bash completes commands, options and values', () => {
  const script = `
    bootseal() { "$NODE" "$BOOTSEAL" "$@"; }
    eval "$(bootseal completion bash)"
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _bootseal; echo "$*: \${COMPREPLY[*]}"; }
    try bootseal key generate s
    try bootseal digest --epo
    try bootseal digest --hash sha5
    complete -p bootseal`;
  const { stdout, status } = shell(script);
  assert.equal(status, 0);
  assert.deepEqual(stdout.replaceAll(/ \n/g, '\n').split('\n'), [
    'bootseal key generate s: sigstore secureboot',
    'bootseal digest --epo: --epoch',
    'bootseal digest --hash sha5: sha512',
    'complete -o default -F _bootseal bootseal',
    '',
  ]);
});
