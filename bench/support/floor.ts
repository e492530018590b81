/**
 * What must be computed at the least for the composefs digest of an image, each part in a process of its own:
 *   floor.js decode BLOB…   gunzip, SHA-256 of the compressed and of the plain bytes
 *   floor.js blocks TAR…    SHA-512 of every 4 KiB of the plain bytes
 */
import { createHash, hash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { createGunzip } from 'node:zlib';

const [mode, ...files] = process.argv.slice(2);

async function decode(file: string): Promise<string> {
  const compressed = createHash('sha256');
  const plain = createHash('sha256');
  const input = createReadStream(file, { highWaterMark: 1024 * 1024 });
  input.on('data', (chunk) => compressed.update(chunk));
  for await (const chunk of input.pipe(createGunzip({ chunkSize: 256 * 1024 })))
    plain.update(chunk as Buffer);
  return `${compressed.digest('hex')} ${plain.digest('hex')}`;
}

function blocks(file: string): number {
  const buffer = Buffer.alloc(1024 * 1024);
  const views = Array.from({ length: 256 }, (_, at) => buffer.subarray(at * 4096, (at + 1) * 4096));
  const digests = Buffer.alloc(256 * 64);
  const input = openSync(file, 'r');
  let count = 0;
  for (let length = readSync(input, buffer); length > 0; length = readSync(input, buffer)) {
    for (let at = 0; at * 4096 < length; at++) {
      digests.write(hash('sha512', views[at], 'binary'), at * 64, 'latin1');
      count += 1;
    }
  }
  closeSync(input);
  return count;
}

for (const file of files) console.log(mode === 'decode' ? await decode(file) : blocks(file));
