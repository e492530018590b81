/** zstd:chunked layers made in memory, honest ones and others. */
import { concatBytes, encodeLatin1, encodeUtf8 } from '../../src/bytes/bytes.ts';
import type { LayerInput } from '../../src/composefs/from-layers.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { createTarReader } from '../../src/formats/tar/reader.ts';
import { zstdStored } from '../../src/formats/zstd/stored.ts';
import { layer } from './layers.ts';

export type TableJson = Record<string, unknown> & { entries: Record<string, unknown>[] | null };

export interface ChunkedOptions {
  /** Edits the table before it is written. */
  readonly table?: (table: TableJson) => void;
  /** The text of the table, instead of JSON of it. */
  readonly text?: (json: string) => string;
  /** Edits the annotations. */
  readonly annotations?: (annotations: Record<string, string>) => void;
  /** Edits the blob before its digest is taken. */
  readonly blob?: (blob: Uint8Array) => Uint8Array;
  /** Instead of that of zstd. */
  readonly mediaType?: string;
}

export const KEYS = {
  checksum: 'io.github.containers.zstd-chunked.manifest-checksum',
  position: 'io.github.containers.zstd-chunked.manifest-position',
  tarSplit: 'io.github.containers.zstd-chunked.tarsplit-position',
} as const;

const TYPES: Readonly<Record<string, string>> = {
  file: 'reg',
  directory: 'dir',
  character: 'char',
};

const utf8 = (latin1: string): string => Buffer.from(encodeLatin1(latin1)).toString('utf8');

/** What podman's compressor says about an archive: zero values are left out. */
export function tableOf(plain: Uint8Array): TableJson {
  const entries: Record<string, unknown>[] = [];
  let content: Uint8Array[] = [];
  const reader = createTarReader({
    entry(entry) {
      content = [];
      const { seconds, nanos } = entry.mtime;
      const time = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
      const fields = {
        type: TYPES[entry.type] ?? entry.type,
        name: utf8(entry.path),
        linkName: utf8(entry.linkTarget ?? ''),
        mode: entry.mode,
        size: entry.size ?? 0,
        uid: entry.uid,
        gid: entry.gid,
        modtime: `${time}${nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`}Z`,
        devMajor: entry.device?.major ?? 0,
        devMinor: entry.device?.minor ?? 0,
      };
      entries.push(
        Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '' && value !== 0)),
      );
      if (entry.xattrs !== undefined) {
        entries.at(-1)!['xattrs'] = Object.fromEntries(
          [...entry.xattrs].map(([name, value]) => [utf8(name), Buffer.from(value).toString('base64')]),
        );
      }
    },
    data: (bytes) => void content.push(Uint8Array.from(bytes)),
    endOfFile() {
      if (content.length > 0) entries.at(-1)!['digest'] = digestOf(concatBytes(content));
    },
  });
  reader.push(plain);
  reader.end();
  return { version: 1, entries };
}

function skippable(content: Uint8Array): Uint8Array {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, 0x184d2a50, true);
  new DataView(header.buffer).setUint32(4, content.length, true);
  return concatBytes([header, content]);
}

const stored = (bytes: Uint8Array): Uint8Array => concatBytes([...zstdStored([bytes])]);

export function chunkedLayer(plain: Uint8Array, options: ChunkedOptions = {}): LayerInput {
  const data = stored(plain);
  const rawSplit = encodeUtf8('{"type":2,"payload":"AAAA","position":0}\n');
  const split = stored(rawSplit);
  const table = { ...tableOf(plain), tarSplitDigest: digestOf(split) };
  options.table?.(table);
  const json = JSON.stringify(table);
  const text = encodeUtf8(options.text?.(json) ?? json);
  const toc = stored(text);
  const at = data.length + 8;
  const splitAt = at + toc.length + 8;
  const footer = new DataView(new ArrayBuffer(64));
  [at, toc.length, text.length, 1, splitAt, split.length, rawSplit.length].forEach((number, index) =>
    footer.setBigUint64(8 * index, BigInt(number), true),
  );
  const footerBytes = new Uint8Array(footer.buffer);
  footerBytes.set(encodeUtf8('GNUlInUx'), 56);
  const annotations: Record<string, string> = {
    [KEYS.checksum]: digestOf(toc),
    [KEYS.position]: `${at}:${toc.length}:${text.length}:1`,
    [KEYS.tarSplit]: `${splitAt}:${split.length}:${rawSplit.length}`,
  };
  options.annotations?.(annotations);
  const blob = concatBytes([data, skippable(toc), skippable(split), skippable(footerBytes)]);
  return {
    ...layer(plain, {
      mediaType: options.mediaType ?? MEDIA_TYPES.ociLayerZstd,
      blob: options.blob?.(blob) ?? blob,
    }),
    annotations,
  };
}
