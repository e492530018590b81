/** Layers with a table of contents: one view, or none. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { concatBytes } from '../../src/bytes/bytes.ts';
import { createTocCheck } from '../../src/composefs/check-toc.ts';
import { dumpTree } from '../../src/composefs/dump.ts';
import { treeFromLayers, type LayerInput } from '../../src/composefs/from-layers.ts';
import { digestOf, type Digest } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import type { TarEntryType } from '../../src/formats/tar/format.ts';
import { checkedBlob } from '../../src/stores/checked-blob.ts';
import { openLayerPorts } from '../../src/stores/layer-ports.ts';
import { zstdDecoder } from '../../src/stores/zstd/decoder.ts';
import { archive, directory, entry, file, inChunks, SKELETON, treeOf } from '../support/layers.ts';
import { BOTH } from '../support/oci-vectors.ts';
import { projectRoot } from '../support/project.ts';
import { chunkedLayer, KEYS, tableOf, type ChunkedOptions, type TableJson } from '../support/zstd-chunked.ts';

const xattrs = new Map([
  ['security.capability', Uint8Array.of(1, 0, 0, 2, 0, 32)],
  ['user.a', new Uint8Array(0)],
]);

/** A byte a character, as archives have names. */
const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');

const PLAIN = archive(
  ...SKELETON,
  file('usr/ping', 'ping', { mode: 0o4755, uid: 1000, gid: 70_000, xattrs }),
  file('usr/empty', ''),
  file('usr/big', 'x'.repeat(300_000), { mtime: { seconds: 1_700_000_002n, nanos: 250_000_000 } }),
  entry('usr/link', 'symlink', { linkTarget: 'ping' }),
  entry('usr/hard', 'hardlink', { linkTarget: 'usr/ping' }),
  entry('usr/null', 'character', { device: { major: 1, minor: 3 } }),
  entry('usr/fifo', 'fifo', { mtime: { seconds: -5n, nanos: 0 } }),
  file(bytesOf('usr/grün \\ "'), 'name'),
);

const vectors = join(projectRoot(), 'test', 'vectors', 'zstd-chunked');

function podmanLayer(name: string, diffId: Digest): LayerInput {
  const blob = readFileSync(join(vectors, `${name}.tar.zst`));
  const annotations = JSON.parse(readFileSync(join(vectors, `${name}.annotations.json`), 'utf8')) as Record<
    string,
    string
  >;
  const descriptor = { digest: digestOf(blob), size: blob.length };
  const open = (): AsyncIterable<Uint8Array> => checkedBlob(descriptor, inChunks(blob, 100));
  return { ...descriptor, mediaType: MEDIA_TYPES.ociLayerZstd, diffId, annotations, open };
}

const without = (input: LayerInput): LayerInput => ({ ...input, annotations: {} });

async function sameTree(input: LayerInput): Promise<void> {
  const [left, right] = await Promise.all([treeOf([input]), treeOf([without(input)])]);
  assert.deepEqual(dumpTree(left, 'sha512'), dumpTree(right, 'sha512'));
}

const entries = (table: TableJson): Record<string, unknown>[] => table.entries!;
const named = (table: TableJson, name: string): Record<string, unknown> =>
  entries(table).find((item) => item['name'] === name)!;

async function refuses(options: ChunkedOptions, code: string, message?: RegExp): Promise<void> {
  const input = chunkedLayer(PLAIN, options);
  await assert.rejects(treeOf([input]), (error: Error & { code: string; exit: number; where: string }) => {
    assert.equal(error.code, code, error.message);
    assert.equal(error.exit, 1);
    assert.match(error.where, /^layer 1/);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
  // The archive itself is good, so it is the table that was refused.
  if (options.blob === undefined && options.mediaType === undefined) await treeOf([without(input)]);
}

test('layers of podman give the same tree with and without annotations', async () => {
  await sameTree(
    podmanLayer('base', 'sha256:17a9d8c2a9f1fc9b30f30b610380320a3129171686b0cf3cca4bf43a7842097d'),
  );
  await sameTree(
    podmanLayer('e_zeros', 'sha256:3147e46927e117c582844b9539fb645683b704156c93e0d7430b8b2733d33170'),
  );
});

test('one byte of an annotation or a blob of podman changed: never another tree', async () => {
  const good = podmanLayer('base', 'sha256:17a9d8c2a9f1fc9b30f30b610380320a3129171686b0cf3cca4bf43a7842097d');
  for (const [key, value] of Object.entries(good.annotations!)) {
    const at = value.length - 5;
    const changed = value.slice(0, at) + String((Number(value[at]) + 1) % 10 || 1) + value.slice(at + 1);
    const bad = { ...good, annotations: { ...good.annotations, [key]: changed } };
    await assert.rejects(treeOf([bad]), { exit: 1 }, `${key}: ${changed}`);
  }
});

test('an honest table is accepted, with chunks, unknown members and any spelling of emptiness', async () => {
  await sameTree(chunkedLayer(PLAIN));
  await sameTree(
    chunkedLayer(PLAIN, {
      table(table) {
        const at = entries(table).findIndex((item) => item['name'] === 'usr/big');
        entries(table)[at] = {
          ...entries(table)[at],
          chunkSize: 5,
          chunkDigest: digestOf(new Uint8Array(5)),
        };
        const part = { type: 'chunk', name: 'usr/big', chunkOffset: 5, chunkSize: 9, chunkType: 'zeros' };
        entries(table).splice(at + 1, 0, part, { ...part, chunkOffset: 14 });
        named(table, 'usr/empty')['digest'] = digestOf(new Uint8Array(0));
        named(table, 'usr/ping')['modtime'] = '2023-11-15T00:13:20+02:00';
        named(table, 'usr/link')['later'] = { a: [1] };
        named(table, 'usr/link')['accesstime'] = '0001-01-01T00:00:00Z';
        table['later'] = 1;
      },
    }),
  );
  await sameTree(chunkedLayer(PLAIN, { text: (json) => ` ${json}\n` }));
  await sameTree(chunkedLayer(PLAIN, { annotations: (all) => delete all[KEYS.tarSplit] }));
  // A layer of nothing, which Go writes as null.
  const nothing = chunkedLayer(archive(), { table: (table) => void (table.entries = null) });
  await assert.doesNotReject(treeOf([nothing]));
});

test('zst-views: a table that says something else than the archive is refused, whatever field it is', async () => {
  const edits: readonly [string, (table: TableJson) => void][] = [
    ['mode', (table) => (named(table, 'usr/ping')['mode'] = 0o755)],
    ['mode', (table) => delete named(table, 'usr/ping')['mode']],
    ['owner', (table) => delete named(table, 'usr/ping')['uid']],
    ['group', (table) => (named(table, 'usr/ping')['gid'] = 70_001)],
    ['size', (table) => (named(table, 'usr/ping')['size'] = 5)],
    ['size', (table) => (named(table, 'usr/link')['size'] = 4)],
    ['time', (table) => (named(table, 'usr/ping')['modtime'] = '2023-11-14T22:13:21Z')],
    ['time', (table) => (named(table, 'usr/big')['modtime'] = '2023-11-14T22:13:22.25000001Z')],
    ['time', (table) => delete named(table, 'usr/ping')['modtime']],
    ['extended attributes', (table) => delete named(table, 'usr/ping')['xattrs']],
    ['extended attributes', (table) => (named(table, 'usr/ping')['xattrs'] = { 'user.a': '' })],
    ['extended attributes', (table) => (named(table, 'usr/big')['xattrs'] = { 'user.a': '' })],
    ['contents', (table) => (named(table, 'usr/ping')['digest'] = digestOf(Uint8Array.of(1)))],
    ['contents', (table) => delete named(table, 'usr/ping')['digest']],
    ['contents', (table) => (named(table, 'usr/empty')['digest'] = digestOf(Uint8Array.of(1)))],
    ['link target', (table) => (named(table, 'usr/link')['linkName'] = 'big')],
    ['link target', (table) => (named(table, 'usr/hard')['linkName'] = 'usr/big')],
    ['device', (table) => (named(table, 'usr/null')['devMinor'] = 5)],
    ['type', (table) => (named(table, 'usr/fifo')['type'] = 'reg')],
    ['name', (table) => (named(table, 'usr/fifo')['name'] = 'usr/fifo2')],
    ['name', (table) => (named(table, 'usr/fifo')['name'] = './usr/fifo')],
    ['name', (table) => void entries(table).splice(4, 1)],
    ['name', (table) => void entries(table).splice(4, 2, ...entries(table).slice(4, 6).toReversed())],
    ['ends before entry', (table) => void entries(table).pop()],
    ['lacks an entry', (table) => void entries(table).push({ type: 'dir', name: 'x', mode: 0o755 })],
  ];
  for (const [what, table] of edits) await refuses({ table }, 'layer/toc-differs', new RegExp(what));
});

test('zst-views: any one field of any entry changed is seen', async () => {
  const changes: readonly (readonly [string, unknown])[] = [
    ['mode', 0o1777],
    ['uid', 7],
    ['gid', 7],
    ['modtime', '2001-01-01T00:00:00Z'],
    ['name', 'usr/other'],
    ['size', 77],
    ['xattrs', { 'user.x': 'MQ==' }],
    ['type', 'block'],
    ['digest', digestOf(Uint8Array.of(7))],
  ];
  const count = SKELETON.length + 8;
  await fc.assert(
    fc.asyncProperty(fc.nat(count - 1), fc.constantFrom(...changes), async (at, [key, value]) => {
      const input = chunkedLayer(PLAIN, { table: (table) => (entries(table)[at][key] = value) });
      // Only files have contents to give a digest of.
      if (key === 'digest' && entries(tableOf(PLAIN))[at]['type'] !== 'reg') return;
      await assert.rejects(treeOf([input]), { code: 'layer/toc-differs', exit: 1 });
    }),
    { numRuns: 60 },
  );
});

test('zst-outside: positions and digests that the table does not vouch for are refused', async () => {
  const edit = (key: string, change: (numbers: number[]) => void) => (all: Record<string, string>) => {
    const numbers = all[key].split(':').map(Number);
    change(numbers);
    all[key] = numbers.join(':');
  };
  const unreadable: readonly ((all: Record<string, string>) => void)[] = [
    edit(KEYS.tarSplit, (numbers) => (numbers[1] += 1)),
    edit(KEYS.tarSplit, (numbers) => (numbers[0] = 2 ** 40)),
    edit(KEYS.tarSplit, (numbers) => (numbers[0] -= 30)),
    edit(KEYS.tarSplit, (numbers) => numbers.pop()),
    edit(KEYS.tarSplit, (numbers) => (numbers[2] += 1)),
    edit(KEYS.position, (numbers) => (numbers[0] += 1)),
    edit(KEYS.position, (numbers) => (numbers[1] -= 1)),
    edit(KEYS.position, (numbers) => (numbers[2] += 1)),
    edit(KEYS.position, (numbers) => (numbers[3] = 2)),
    edit(KEYS.position, (numbers) => (numbers[1] = 200 * 2 ** 20)),
    (all) => delete all[KEYS.position],
    (all) => (all[KEYS.position] = ` ${all[KEYS.position]}`),
    (all) => (all[KEYS.position] += ' '),
    (all) => (all[KEYS.position] = `+${all[KEYS.position]}`),
    (all) => (all[KEYS.position] = ''),
    (all) => (all[KEYS.tarSplit] = ''),
    (all) => (all[KEYS.checksum] = 'x'),
    (all) => (all[KEYS.checksum] = all[KEYS.checksum].toUpperCase()),
  ];
  for (const annotations of unreadable) await refuses({ annotations }, 'layer/toc-unreadable');
  await refuses(
    { annotations: (all) => (all[KEYS.checksum] = digestOf(Uint8Array.of(1))) },
    'layer/toc-digest',
  );

  // The table is digested, what lies outside of it is not, unless the table has a digest of it.
  await refuses(
    { table: (table) => (table['tarSplitDigest'] = digestOf(Uint8Array.of(1))) },
    'layer/toc-outside',
  );
  await refuses({ table: (table) => delete table['tarSplitDigest'] }, 'layer/toc-outside');

  // Without the footer nothing else contradicts an edited position.
  const noFooter = (blob: Uint8Array): Uint8Array => blob.slice(0, -72);
  await sameTree(chunkedLayer(PLAIN, { blob: noFooter }));
  await refuses(
    { blob: noFooter, annotations: edit(KEYS.tarSplit, (numbers) => (numbers[1] -= 1)) },
    'layer/toc-outside',
  );
  await refuses(
    { blob: noFooter, annotations: edit(KEYS.position, (numbers) => (numbers[0] -= 1)) },
    'layer/toc-outside',
  );
  // Other tar-split data of the same length, in a blob that its own digest vouches for.
  await refuses(
    {
      blob(blob) {
        const changed = Uint8Array.from(blob);
        changed[blob.length - 72 - 10] ^= 1;
        return changed;
      },
    },
    'layer/toc-outside',
  );
});

test('a table of contents within other compressions is refused: its bytes would be the archive’s too', async () => {
  for (const mediaType of [MEDIA_TYPES.ociLayer, MEDIA_TYPES.ociLayerGzip]) {
    await refuses({ mediaType }, 'layer/toc-not-zstd');
  }
});

test('a table with two meanings is refused', async () => {
  const texts: readonly ((json: string) => string)[] = [
    (json) => `${json}{}`,
    (json) => `${json} x`,
    (json) => json.slice(0, -1),
    (json) => json.replace('"mode":', '"Mode":420,"mode":'),
    (json) => json.replace('"mode":', '"mode":420,"mode":'),
    (json) => json.replace('"version":1', '"version":2'),
    (json) => json.replace('"version":1', '"version":1,"entries":[]'),
    (json) => json.replace('"version":1', '"version":1,"Entries":[]'),
    (json) => json.replace('"version":1', '"version":1,"more":[{}]'),
    (json) => json.replace('"entries":[', '"entries":[0,'),
    (json) => json.replace('"entries":[', '"entries":[{"type":"chunk","name":"usr"},'),
    (json) => json.replace('"type":"fifo"', '"type":"socket"'),
    (json) => json.replace('"type":"fifo"', '"type":["fifo"]'),
    (json) => json.replace('"mode":493', '"mode":493.0'),
    (json) => json.replace('"mode":493', '"mode":-493'),
    (json) => json.replace('"mode":493', '"mode":"493"'),
    (json) => json.replace('"AQAAAgAg"', '"AQAAAgA*"'),
    (json) => json.replace('22:13:20Z', '22:13:60Z'),
    (json) => json.replace('2023-11-14', '2023-02-30'),
    () => '',
    () => '[]',
    () => 'null',
    () => '{"version":1}',
    () => '['.repeat(100_000),
    (json) => `\u{feff}${json}`,
  ];
  for (const [index, text] of texts.entries()) {
    const changed: ChunkedOptions = {
      text(json) {
        assert.notEqual(text(json), json, `case ${index} changes nothing`);
        return text(json);
      },
    };
    await refuses(changed, 'layer/toc-unreadable');
  }
});

test('the threads see the same', async () => {
  const ports = openLayerPorts(BOTH);
  try {
    for (const table of [undefined, (made: TableJson) => (named(made, 'usr/ping')['mode'] = 0o755)]) {
      const input = chunkedLayer(PLAIN, table && { table });
      const tree = treeFromLayers([input], { algorithms: BOTH, ports });
      if (table === undefined)
        assert.deepEqual(dumpTree(await tree, 'sha512'), dumpTree(await treeOf([without(input)]), 'sha512'));
      else await assert.rejects(tree, { code: 'layer/toc-differs', exit: 1 });
    }
  } finally {
    await ports.close();
  }
});

test('a name that is no UTF-8, which JSON cannot hold, is refused as podman refuses it', async () => {
  const input = chunkedLayer(archive(...SKELETON, file('usr/gr\xfcn', 'name')));
  await treeOf([without(input)]);
  await assert.rejects(treeOf([input]), { code: 'layer/toc-differs', exit: 1 });
});

test('a layer without annotations is not looked at', () => {
  const input = chunkedLayer(PLAIN);
  assert.equal(createTocCheck(without(input), zstdDecoder()), undefined);
  assert.equal(createTocCheck({ ...input, annotations: { a: 'b' } }, zstdDecoder()), undefined);
});

test('any archive of ours with its table is accepted', async () => {
  const name = fc.stringMatching(/^[a-z äЖ\\"]{1,12}$/u);
  const bytes = fc.uint8Array({ maxLength: 5000 });
  const type = fc.constantFrom<TarEntryType>('symlink', 'fifo', 'character', 'directory');
  const stat = fc.record({
    mode: fc.nat(0o7777),
    uid: fc.nat(2 ** 31),
    gid: fc.nat(2 ** 31),
    mtime: fc.record({ seconds: fc.bigInt(0n, 2n ** 33n), nanos: fc.nat(999_999_999) }),
    xattrs: fc.uniqueArray(
      fc.tuple(fc.stringMatching(/^user\.[a-z]{1,5}$/), fc.uint8Array({ maxLength: 9 })),
      {
        selector: ([key]) => key,
        maxLength: 3,
      },
    ),
  });
  const item = fc.tuple(name, stat, fc.oneof(bytes, type));
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 8 }), async (items) => {
      const parts = items.map(([path, { xattrs: list, ...rest }, what]) => {
        const latin = bytesOf(path);
        const options = { ...rest, xattrs: new Map(list) };
        if (typeof what !== 'string') return file(`usr/${latin}`, what, options);
        if (what === 'directory') return directory(`usr/${latin}`, options);
        return entry(`usr/${latin}`, what, {
          ...options,
          ...(what === 'symlink' && { linkTarget: latin }),
          ...(what === 'character' && { device: { major: 1, minor: 3 } }),
        });
      });
      await sameTree(chunkedLayer(concatBytes([archive(...SKELETON, ...parts)])));
    }),
    { numRuns: 40 },
  );
});
