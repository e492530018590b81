/** Look-aside stores: where they are, servers that misbehave, and writers at the same time. */
import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { isBootsealError } from '../../../src/errors.ts';
import type { Digest } from '../../../src/formats/oci/digest.ts';
import { defaultLookaside, lookasideLocation } from '../../../src/stores/lookaside/location.ts';
import { readLookaside } from '../../../src/stores/lookaside/read.ts';
import {
  appendToLookaside,
  probeLookaside,
  replaceInLookaside,
} from '../../../src/stores/lookaside/write.ts';
import { makeHttpClient, type HttpClient } from '../../../src/stores/registry/http.ts';
import { startLookasideServer, type LookasideServer } from '../../support/lookaside-server.ts';

const digest: Digest = `sha256:${'ab'.repeat(32)}`;
const name = `acme/os@sha256=${'ab'.repeat(32)}`;
const folder = mkdtempSync(join(tmpdir(), 'bootseal-lookaside-'));
let server: LookasideServer;
let http: HttpClient;
before(async () => {
  server = await startLookasideServer(folder);
  http = makeHttpClient({ tls: () => Promise.resolve({ rejectUnauthorized: true }) });
});
after(async () => {
  await http.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

let stores = 0;
function store(...signatures: readonly string[]): string {
  const path = join(folder, `store-${++stores}`);
  mkdirSync(join(path, name), { recursive: true });
  for (const [at, text] of signatures.entries()) writeFileSync(join(path, name, `signature-${at + 1}`), text);
  return path;
}

async function texts(base: string): Promise<string[]> {
  const { files } = await readLookaside(base, 'acme/os', digest, http);
  return files.map(({ bytes }) => Buffer.from(bytes).toString());
}

describe('where', () => {
  test('base, path and digest, and the number last', () => {
    const location = lookasideLocation('https://sigs.example.com/lookaside', 'acme/os', digest);
    assert.equal(location.text(3), `https://sigs.example.com/lookaside/${name}/signature-3`);
    assert.equal(location.url(3).href, location.text(3));
  });

  test('reg-lookaside-port: the port stays', () => {
    assert.equal(lookasideLocation('http://h:5001/x', 'a', digest).url(1).host, 'h:5001');
  });

  test('file: in any case, with a host that is ignored, percent-decoded; a query stays behind', () => {
    for (const [base, path] of [
      ['file:///srv/sigs', '/srv/sigs'],
      ['FILE:///srv/sigs', '/srv/sigs'],
      ['file://host/srv/sigs', '/srv/sigs'],
      ['file:///srv/a%20b', '/srv/a b'],
      ['file:///srv/sigs?x=1', '/srv/sigs'],
      ['file:///srv/sigs#x', '/srv/sigs'],
    ] as const) {
      assert.equal(lookasideLocation(base, 'acme/os', digest).folder, `${path}/${name}`);
    }
    for (const base of ['file:///a%', 'file:///a%00b']) {
      assert.throws(() => lookasideLocation(base, 'acme/os', digest), failed('lookaside/bad-url'));
    }
  });

  test('a password in the base is in no message', () => {
    const location = lookasideLocation('https://u:s3cr3t@h/x', 'acme/os', digest);
    assert(!location.shown.includes('s3cr3t'));
    assert(!location.text(1).includes('s3cr3t'));
    assert.equal(location.url(1).password, 's3cr3t');
  });

  test('any text as a base is a location or a refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((text) => `file:${text}`),
        ),
        (base) => {
          try {
            lookasideLocation(base, 'acme/os', digest).text(1);
          } catch (error) {
            assert(isBootsealError(error));
          }
        },
      ),
    );
  });

  test('the built-in one: of the machine for root, else in the home folder', () => {
    assert.equal(defaultLookaside({ HOME: '/home/a' }, 0), 'file:///var/lib/containers/sigstore');
    assert.equal(
      defaultLookaside({ HOME: '/home/a b' }, 7),
      'file:///home/a%20b/.local/share/containers/sigstore',
    );
  });
});

describe('reading', () => {
  test('up to the first gap, from files and from a server', async () => {
    const path = store('one', 'two');
    writeFileSync(join(path, name, 'signature-4'), 'four');
    assert.deepEqual(await texts(`file://${path}`), ['one', 'two']);
    assert.deepEqual(await texts(`http://${server.host}/${path.slice(folder.length + 1)}`), ['one', 'two']);
    assert.deepEqual(await texts(`http://${server.host}/redirect/${path.slice(folder.length + 1)}`), [
      'one',
      'two',
    ]);
    assert.deepEqual(await texts(`file://${folder}/nothing`), []);
    assert.deepEqual(await texts(`http://${server.host}/html404`), []);
  });

  test('127 are read, the 128th is one too many, and of 10,000 no more are asked for', async () => {
    const many = (count: number): string[] => Array.from({ length: count }, (_, at) => String(at));
    assert.equal((await texts(`file://${store(...many(127))}`)).length, 127);
    const path = store(...many(10_000));
    for (const base of [`file://${path}`, `http://${server.host}/${path.slice(folder.length + 1)}`]) {
      const asked = server.asked.length;
      await assert.rejects(texts(base), failed('lookaside/too-many', /server provided 128 signatures/));
      assert(server.asked.length - asked <= 128);
    }
  });

  test('a status that is neither 200 nor 404 is no "there is none"', async () => {
    for (const status of [204, 401, 403, 410, 500, 503]) {
      const words = new RegExp(`received unexpected HTTP status: ${status}`);
      await assert.rejects(
        texts(`http://${server.host}/status/${status}`),
        failed('lookaside/unexpected-status', words),
      );
    }
  });

  test('too large, without end, in a circle, by another scheme', async () => {
    for (const [base, code] of [
      [`http://${server.host}/big`, 'lookaside/too-large'],
      [`http://${server.host}/endless`, 'lookaside/too-large'],
      [`http://${server.host}/circle`, 'registry/redirect-refused'],
      ['ftp://127.0.0.1/x', 'lookaside/unsupported-scheme'],
      ['/srv/sigs', 'lookaside/unsupported-scheme'],
      ['http://127.0.0.1:9/x', 'registry/unreachable'],
    ] as const) {
      await assert.rejects(texts(base), failed(code));
    }
    const path = store();
    writeFileSync(join(path, name, 'signature-1'), Buffer.alloc(4 * 1024 * 1024 + 1));
    await assert.rejects(texts(`file://${path}`), failed('lookaside/unreadable', /exceeds/));
  });

  test('a page is marked as one', async () => {
    const { files } = await readLookaside(
      `http://${server.host}/html${store('x').slice(folder.length)}`,
      'acme/os',
      digest,
      http,
    );
    assert.deepEqual(
      files.map(({ isHtml }) => isHtml),
      [true],
    );
  });

  test('a folder in place of a signature is no end of the list', async () => {
    const path = store('one');
    mkdirSync(join(path, name, 'signature-2'));
    await assert.rejects(texts(`file://${path}`), failed('lookaside/unreadable', /is a directory/));
  });
});

describe('writing', () => {
  const bytes = (...words: readonly string[]): Buffer[] => words.map((text) => Buffer.from(text));

  test('adds each once, and leaves nothing beside', async () => {
    const base = `file://${folder}/new/deep`;
    assert.equal((await appendToLookaside(base, 'acme/os', digest, bytes('a', 'b'))).added, 2);
    assert.equal((await appendToLookaside(base, 'acme/os', digest, bytes('b', 'c', 'c'))).added, 1);
    assert.deepEqual(await texts(base), ['a', 'b', 'c']);
    assert.deepEqual(readdirSync(join(folder, 'new/deep', name)).sort(), [
      'signature-1',
      'signature-2',
      'signature-3',
    ]);
  });

  test('replacing leaves the new ones and no others', async () => {
    const path = store('a', 'b', 'c', 'd');
    await replaceInLookaside(`file://${path}`, 'acme/os', digest, bytes('x', 'y'));
    assert.deepEqual(readdirSync(join(path, name)).sort(), ['signature-1', 'signature-2']);
    assert.equal(readFileSync(join(path, name, 'signature-1'), 'utf8'), 'x');
    await replaceInLookaside(`file://${path}`, 'acme/os', digest, []);
    assert.deepEqual(readdirSync(join(path, name)), []);
  });

  test('writers at the same time lose nothing', async () => {
    const base = `file://${folder}/together`;
    const words = Array.from({ length: 20 }, (_, at) => `signature by ${at}`);
    await Promise.all(words.map((word) => appendToLookaside(base, 'acme/os', digest, bytes(word))));
    assert.deepEqual((await texts(base)).sort(), words.sort());
  });

  test('never more than readers take', async () => {
    const path = store(...Array.from({ length: 127 }, (_, at) => String(at)));
    await assert.rejects(
      appendToLookaside(`file://${path}`, 'acme/os', digest, bytes('one more')),
      failed('lookaside/too-many'),
    );
    assert.equal((await texts(`file://${path}`)).length, 127);
  });

  test('a web server cannot be written, in the words of the peers', async () => {
    for (const scheme of ['http', 'https']) {
      const words = new RegExp(
        `^Writing directly to a ${scheme} lookaside ${scheme}://h/x/.* is not supported. Configure a lookaside-staging: location$`,
      );
      await assert.rejects(
        appendToLookaside(`${scheme}://h/x`, 'acme/os', digest, bytes('a')),
        failed('lookaside/not-writable', words),
      );
    }
    await assert.rejects(
      probeLookaside('ftp://h/x', 'acme/os', digest),
      failed('lookaside/not-writable', /Unsupported scheme when writing/),
    );
  });

  test('reg-sig-late: a store that cannot be made is found out before', async () => {
    writeFileSync(join(folder, 'file'), '');
    await assert.rejects(
      probeLookaside(`file://${folder}/file/x`, 'acme/os', digest),
      failed('file/cannot-write'),
    );
    symlinkSync('/proc/self', join(folder, 'proc'));
    await probeLookaside(`file://${folder}/not/yet/there`, 'acme/os', digest);
    assert(!readdirSync(folder).includes('not'));
  });
});

function failed(code: string, words = /./): (error: unknown) => boolean {
  return (error) => {
    assert(isBootsealError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  };
}
