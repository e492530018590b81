/** What a store of podman holds: its lists, references, and lines of tar-split. */
import { bigDataFile, parseImages, parseLayers } from '../../src/formats/containers-storage/reader.ts';
import { parseStorageReference } from '../../src/formats/containers-storage/reference.ts';
import { parseTarSplitEntry } from '../../src/formats/tarsplit/reader.ts';
import { isBootsealError } from '../../src/errors.ts';
import type { FuzzTarget } from './harness.ts';

const hex = 'a'.repeat(64);

export const target: FuzzTarget = {
  name: 'containers-storage',
  seeds: () =>
    [
      `[{"id":"${hex}","digest":"sha256:${hex}","names":["a.test/x:v1"],"layer":"${hex}","metadata":"{\\"signature-sizes\\":[5],\\"signatures-sizes\\":{\\"sha256:${hex}\\":[5]}}","big-data-names":["manifest"]}]`,
      `[{"id":"${hex}","parent":"${hex}","diff-digest":"sha256:${hex}","diff-size":10240}]`,
      `{"type":2,"payload":"aGVsbG8=","position":0}`,
      `{"type":1,"name":"hello.txt","size":15,"payload":"c7UbbLOgCEM=","position":0}`,
      `[vfs@/tmp/store+/run:x=y]a.test/x:v1@sha256:${hex}@${hex}`,
    ].map((text) => Buffer.from(text)),
  run(bytes) {
    let error: unknown;
    for (const parse of [
      () => parseImages(bytes).map(({ bigDataNames }) => bigDataNames.map(bigDataFile)),
      () => parseLayers(bytes),
      () => parseTarSplitEntry(bytes, 0),
      () => parseStorageReference(Buffer.from(bytes).toString('latin1')),
    ]) {
      try {
        parse();
        return;
      } catch (thrown) {
        if (!isBootsealError(thrown)) throw thrown;
        error = thrown;
      }
    }
    throw error;
  },
};
