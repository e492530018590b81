/** Layers with the table of contents of eStargz: one view, or none. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { concatBytes, encodeUtf8 } from '../../src/bytes/bytes.ts';
import { dumpTree } from '../../src/composefs/dump.ts';
import type { LayerInput } from '../../src/composefs/from-layers.ts';
import { digestOf, type Digest } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { checkedBlob } from '../../src/stores/checked-blob.ts';
import { archive, directory, entry, file, inChunks, layer, SKELETON, treeOf } from '../support/layers.ts';
import { projectRoot } from '../support/project.ts';
import { chunkedLayer, tableOf, type TableJson } from '../support/zstd-chunked.ts';

const KEY = 'containerd.io/snapshot/stargz/toc.digest';
const TABLE = 'stargz.index.json';

const PARTS = [
  ...SKELETON,
  file('usr/ping', 'ping', { mode: 0o4755, mtime: { seconds: 1_700_000_002n, nanos: 500_000_000 } }),
  file('usr/big', 'x'.repeat(300_000), { mtime: { seconds: 1_700_000_002n, nanos: 499_999_999 } }),
  entry('usr/link', 'symlink', { linkTarget: 'ping' }),
];

interface Options {
  readonly table?: (table: TableJson) => void;
  readonly annotation?: string;
  /** What follows the table, or stands in its place. */
  readonly end?: (table: Uint8Array) => readonly Uint8Array[];
}

function estargzLayer({ table: edit, annotation, end }: Options = {}): LayerInput {
  const table = tableOf(archive(...PARTS));
  for (const item of table.entries!) {
    const time = new Date(String(item['modtime'])).getTime() / 1000;
    item['modtime'] = `${new Date(Math.round(time) * 1000).toISOString().slice(0, 19)}Z`;
  }
  edit?.(table);
  const text = encodeUtf8(JSON.stringify(table));
  const plain = archive(...PARTS, ...(end?.(text) ?? [file(TABLE, text, { mode: 0 })]));
  return {
    ...layer(plain, { mediaType: MEDIA_TYPES.ociLayerGzip, blob: gzipSync(plain) }),
    annotations: { [KEY]: annotation ?? digestOf(text) },
  };
}

async function sameTree(input: LayerInput): Promise<void> {
  const [left, right] = await Promise.all([treeOf([input]), treeOf([{ ...input, annotations: {} }])]);
  assert.deepEqual(dumpTree(left, 'sha512'), dumpTree(right, 'sha512'));
}

async function refuses(options: Options, code: string): Promise<void> {
  const input = estargzLayer(options);
  await assert.rejects(treeOf([input]), { code, exit: 1 });
  await treeOf([{ ...input, annotations: {} }]);
}

const named = (table: TableJson, name: string): Record<string, unknown> =>
  table.entries!.find((item) => item['name'] === name)!;

test('a layer of the library gives the same tree with and without annotation', async () => {
  const blob = readFileSync(join(projectRoot(), 'test', 'vectors', 'estargz', 'base.tar.gz'));
  const descriptor = { digest: digestOf(blob), size: blob.length };
  const tocDigest: Digest = 'sha256:cb414f447e6cf3106575992e6ef8bbc6ce416516f8b17b10a6bddb2d603e42ef';
  const input: LayerInput = {
    ...descriptor,
    mediaType: MEDIA_TYPES.ociLayerGzip,
    diffId: 'sha256:ce1b2e497e6316952934b0fffbbf4566a161487f96feb7936ea65612788cad2f',
    annotations: { [KEY]: tocDigest },
    open: () => checkedBlob(descriptor, inChunks(blob, 100)),
  };
  await sameTree(input);
  const other = { ...input, annotations: { [KEY]: tocDigest.replace('cb', 'cc') } };
  await assert.rejects(treeOf([other]), { code: 'layer/toc-digest', exit: 1 });
});

test('zst-views: an eStargz table that says something else than the archive is refused', async () => {
  await sameTree(estargzLayer());
  const edits: readonly ((table: TableJson) => void)[] = [
    (table) => (named(table, 'usr/ping')['mode'] = 0o755),
    (table) => (named(table, 'usr/ping')['digest'] = digestOf(Uint8Array.of(1))),
    (table) => (named(table, 'usr/ping')['modtime'] = '2023-11-14T22:13:22Z'),
    (table) => (named(table, 'usr/big')['modtime'] = '2023-11-14T22:13:23Z'),
    (table) => (named(table, 'usr/link')['linkName'] = 'big'),
    (table) => void table.entries!.pop(),
    (table) => void table.entries!.push({ type: 'dir', name: 'more' }),
  ];
  for (const table of edits) await refuses({ table }, 'layer/toc-differs');
  await refuses({ table: (table) => (table['version'] = 2) }, 'layer/toc-unreadable');
});

test('zst-outside: a table that is not the last file, or not the one of the digest, is refused', async () => {
  await refuses({ annotation: 'x' }, 'layer/toc-unreadable');
  await refuses({ annotation: digestOf(Uint8Array.of(1)) }, 'layer/toc-digest');
  const ends: readonly (readonly [(text: Uint8Array) => readonly Uint8Array[], string])[] = [
    [() => [], 'layer/toc-unreadable'],
    [(text) => [file(TABLE, text), directory('more')], 'layer/toc-unreadable'],
    [(text) => [file(TABLE, concatBytes([text, Uint8Array.of(32)]))], 'layer/toc-digest'],
    [() => [file(TABLE, '')], 'layer/toc-digest'],
    [(text) => [file(TABLE, text), file(TABLE, text)], 'layer/toc-differs'],
    [(text) => [file(TABLE, text), entry(TABLE, 'hardlink', { linkTarget: TABLE })], 'layer/toc-unreadable'],
  ];
  for (const [end, code] of ends) await refuses({ end }, code);
});

test('zst-two-tocs: a layer with both tables is refused, though each is right', async () => {
  const text = encodeUtf8(JSON.stringify(tableOf(archive(...SKELETON))));
  const input = chunkedLayer(archive(...SKELETON, file(TABLE, text)));
  await treeOf([input]);
  const estargz = { [KEY]: digestOf(text) };
  await treeOf([{ ...input, annotations: estargz }]);
  const both = { ...input, annotations: { ...input.annotations, ...estargz } };
  await assert.rejects(treeOf([both]), { code: 'layer/two-tables', exit: 1 });
});
