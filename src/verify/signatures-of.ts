/** The signatures that are kept with an image, wherever its transport keeps them. */
import { concatBytes } from '../bytes/bytes.ts';
import { BootsealError, isBootsealError, withDetails } from '../errors.ts';
import {
  attachmentTag,
  MAX_SIGNATURES,
  parseAttachment,
  signatureFromLayer,
} from '../formats/cosign/attachment.ts';
import { MAX_PAYLOAD_SIZE } from '../formats/cosign/payload.ts';
import { parseStoredSignature, type RawSignature } from '../formats/cosign/signature.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { repositoryName } from '../formats/reference/docker-reference.ts';
import type { RegistriesConfig } from '../formats/registries-d/config.ts';
import { lookasideBase, useSigstoreAttachments } from '../formats/registries-d/lookup.ts';
import { goQuote } from '../formats/strict-json/go-quote.ts';
import type { ImageSource, SimpleSignatures } from '../stores/image.ts';
import { defaultLookaside } from '../stores/lookaside/location.ts';
import { readLookaside } from '../stores/lookaside/read.ts';
import type { LookedIn } from '../trust/verdict.ts';

export interface FoundSignatures {
  readonly signatures: readonly RawSignature[];
  readonly places: readonly LookedIn[];
}

export interface ReadSignaturesOptions {
  /** For the look-aside store where registries.d names none: it is in the home folder. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Reads every signature of a manifest. One that cannot be parsed ends the reading, as it does for the peers.
 * Throws `cosign/…` for what the store holds and `store/…`, `registry/…` for reaching it.
 */
export async function readSignatures(
  source: ImageSource,
  digest: Digest,
  registries: RegistriesConfig,
  options: ReadSignaturesOptions = {},
): Promise<FoundSignatures> {
  const signatures: RawSignature[] = [];
  const places: LookedIn[] = [];
  if (source.storedSignatures !== undefined) {
    const stored = await source.storedSignatures(digest);
    if (stored.length > MAX_SIGNATURES) throw tooMany(stored.length);
    for (const [at, bytes] of stored.entries())
      signatures.push(parseNamed(bytes, storedName(source, at + 1)));
    places.push({ place: 'files beside the manifest', result: counted(stored.length) });
  }
  if (source.name.transport === 'docker') {
    const simple = await readSimple(source, digest, registries, options);
    if (simple !== undefined) {
      signatures.push(...simple.signatures);
      places.push(simple.place);
    }
  }
  if (source.attachment !== undefined && source.name.transport === 'docker') {
    const reference = source.physical ?? source.name.reference;
    const setting = useSigstoreAttachments(registries, reference);
    if (setting.value) {
      const attached = await readAttachment(
        source,
        digest,
        `${repositoryName(reference)}:${attachmentTag(digest)}`,
      );
      if (attached !== undefined) signatures.push(...attached);
      places.push({
        place: attachmentTag(digest),
        result: attached ? counted(attached.length) : 'not found',
        ...(setting.from && {
          setting: `${setting.from.key} of ${setting.from.section} in ${setting.from.file}`,
        }),
      });
    } else {
      const why = setting.from ? `off in ${setting.from.file}` : 'no registries.d file turns them on';
      places.push({ place: 'sigstore attachments', result: `not read: ${why}` });
    }
  }
  if (places.length === 0)
    places.push({ place: `${source.name.transport}:`, result: 'cannot hold signatures' });
  return { signatures, places };
}

/** From the registry itself where it keeps them; else from the look-aside store, of which there always is one. */
async function readSimple(
  source: ImageSource,
  digest: Digest,
  registries: RegistriesConfig,
  { env = process.env }: ReadSignaturesOptions,
): Promise<{ readonly signatures: readonly RawSignature[]; readonly place: LookedIn } | undefined> {
  if (source.name.transport !== 'docker') return undefined;
  const kept = await source.extensionSignatures?.(digest);
  if (kept !== undefined) {
    return {
      signatures: kept.files.map(parseFile),
      place: { place: kept.place, result: counted(kept.files.length) },
    };
  }
  if (source.web === undefined) return undefined;
  const reference = source.physical ?? source.name.reference;
  const setting = lookasideBase(registries, reference);
  const base = setting?.value ?? defaultLookaside(env);
  const signatures: RawSignature[] = [];
  const found = await readLookaside(base, reference.path, digest, source.web, (file) => {
    signatures.push(parseFile(file));
  });
  const from = setting?.from;
  return {
    signatures,
    place: {
      place: found.place,
      result: counted(found.files.length),
      setting: from === undefined ? 'built-in default' : `${from.key} of ${from.section} in ${from.file}`,
    },
  };
}

function parseFile({ name, bytes, isHtml }: SimpleSignatures['files'][number]): RawSignature {
  try {
    return parseNamed(bytes, name);
  } catch (error) {
    if (!isBootsealError(error) || isHtml !== true) throw error;
    // A page that says "not found" with status 200 is the usual way to get here.
    throw withDetails(error, {
      hint: 'the server sent a web page; it must answer 404 where there is no further signature',
    });
  }
}

function parseNamed(bytes: Uint8Array, name: string): RawSignature {
  try {
    return parseStoredSignature(bytes);
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    throw new BootsealError(error.code, `parsing signature ${goQuote(name)}: ${error.message}`, {
      where: name,
    });
  }
}

function storedName({ name }: ImageSource, number: number): string {
  const file = `signature-${number}`;
  return name.transport === 'dir' ? `${name.path}/${file}` : file;
}

/** As much of a store as an attachment is read from: a destination may be one as well. */
export type AttachmentStore = Required<Pick<ImageSource, 'blob'>> & Pick<ImageSource, 'attachment'>;

/** Undefined where the repository has no such tag. */
export async function readAttachment(
  source: AttachmentStore,
  digest: Digest,
  where: string,
): Promise<RawSignature[] | undefined> {
  const manifest = await source.attachment?.(digest);
  if (manifest === undefined) return undefined;
  const layers = parseAttachment(manifest.bytes, manifest.mediaType, where);
  const signatures: RawSignature[] = [];
  const payloads = new Map<Digest, Uint8Array>();
  let total = 0;
  for (const layer of layers) {
    // Many signatures may share a payload, and none may make us hold more than a few images' worth.
    let payload = payloads.get(layer.digest);
    if (payload === undefined) {
      total += layer.size;
      if (total > MAX_PAYLOADS_SIZE) {
        throw new BootsealError(
          'cosign/bad-attachment',
          `payloads in ${where} exceed ${MAX_PAYLOADS_SIZE} bytes`,
        );
      }
      payload = await readWhole(source, layer);
      payloads.set(layer.digest, payload);
    }
    signatures.push(signatureFromLayer(layer, payload));
  }
  return signatures;
}

/** Ten payloads of the largest size; real ones are 300 bytes. */
const MAX_PAYLOADS_SIZE = 10 * MAX_PAYLOAD_SIZE;

async function readWhole(source: AttachmentStore, descriptor: Descriptor): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source.blob(descriptor)) parts.push(part);
  return concatBytes(parts);
}

function counted(count: number): string {
  if (count === 0) return 'none';
  return count === 1 ? '1 signature' : `${count} signatures`;
}

function tooMany(count: number): BootsealError {
  return new BootsealError(
    'cosign/too-many-signatures',
    `${count} signatures exceed the limit of ${MAX_SIGNATURES}`,
    { exit: 1 },
  );
}
