/** Moving blobs from one store to another, several at a time. */
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { ImageDestination, ImageSource } from '../stores/image.ts';

/** A part of the work that can be watched: the command line draws it, others leave it out. */
export interface ProgressPort {
  /** `total` in bytes. */
  start(name: string, total: number): { advance(bytes: number): void; done(): void };
}

export interface BlobCounts {
  copied: number;
  /** Taken over within the registry, without passing through here. */
  mounted: number;
  /** There already. */
  present: number;
  /** Bytes that passed through here. */
  bytes: number;
}

export interface CopyBlobsOptions {
  readonly parallel: number;
  readonly signal?: AbortSignal;
  readonly progress?: ProgressPort;
}

/** What {@link copyBlobs} would do, as far as the destination can be asked without writing to it. */
export async function countBlobs(
  destination: ImageDestination | undefined,
  blobs: Iterable<Descriptor>,
): Promise<BlobCounts> {
  const counts: BlobCounts = { copied: 0, mounted: 0, present: 0, bytes: 0 };
  for (const blob of onceEach(blobs)) {
    if ((await destination?.hasBlob(blob)) === true) counts.present += 1;
    else {
      counts.copied += 1;
      counts.bytes += blob.size;
    }
  }
  return counts;
}

function onceEach(blobs: Iterable<Descriptor>): Descriptor[] {
  return [...new Map<Digest, Descriptor>([...blobs].map((blob) => [blob.digest, blob])).values()];
}

/** Every blob once. The first failure stops the others and is thrown when they have stopped. */
export async function copyBlobs(
  source: ImageSource,
  destination: ImageDestination,
  blobs: Iterable<Descriptor>,
  options: CopyBlobsOptions,
): Promise<BlobCounts> {
  const counts: BlobCounts = { copied: 0, mounted: 0, present: 0, bytes: 0 };
  // Large ones first: what comes last is then short, and is written while the disk is busy with the others.
  const queue = onceEach(blobs).toSorted((a, b) => b.size - a.size);
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;

  async function worker(): Promise<void> {
    for (let blob = queue.shift(); blob !== undefined; blob = queue.shift()) {
      signal.throwIfAborted();
      await copyBlob(source, destination, blob, counts, { ...options, signal });
    }
  }

  const workers = Array.from({ length: Math.max(1, Math.min(options.parallel, queue.length)) }, worker);
  let failure: { readonly error: unknown } | undefined;
  for (const running of workers) {
    // The cause is what failed first, not the stop that it brought to the others.
    running.catch((error: unknown) => {
      failure ??= { error };
      stop.abort(error);
    });
  }
  await Promise.allSettled(workers);
  if (failure !== undefined) throw failure.error;
  return counts;
}

async function copyBlob(
  source: ImageSource,
  destination: ImageDestination,
  blob: Descriptor,
  counts: BlobCounts,
  options: CopyBlobsOptions,
): Promise<void> {
  if (await destination.hasBlob(blob)) {
    counts.present += 1;
    return;
  }
  const from = mountableFrom(source, destination);
  if (from !== undefined && (await destination.mountBlob?.(blob, from)) === true) {
    counts.mounted += 1;
    return;
  }
  const read = {
    // Every destination hashes what it writes, and is done with a chunk before it asks for the next.
    checkedByDestination: true,
    reuseChunks: true,
    ...(options.signal && { signal: options.signal }),
  };
  const bar = options.progress?.start(blob.digest.slice(0, 19), blob.size);
  try {
    const advance = (bytes: number): void => bar?.advance(bytes);
    if (destination.resumeBlob !== undefined && source.name.transport === 'docker') {
      await destination.resumeBlob(blob, (offset) => {
        advance(offset);
        return counted(source.blob(blob, { ...read, offset }), advance);
      });
    } else await destination.putBlob(blob, counted(source.blob(blob, read), advance), read);
  } finally {
    bar?.done();
  }
  counts.copied += 1;
  counts.bytes += blob.size;
}

/** Repository path on the same registry, when that is where the image comes from. */
function mountableFrom(source: ImageSource, destination: ImageDestination): string | undefined {
  const [from, to] = [source.name, destination.name];
  if (from.transport !== 'docker' || to.transport !== 'docker') return undefined;
  const { domain, path } = source.physical ?? from.reference;
  return domain === to.reference.domain && path !== to.reference.path ? path : undefined;
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  count: (length: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const part of bytes) {
    count(part.length);
    yield part;
  }
}
