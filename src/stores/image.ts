/**
 * Where an image is read from and written to. Each transport (registry, OCI layout, archive, directory) has one
 * implementation of these two interfaces; the jobs know nothing else of them.
 */
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { DockerReference } from '../formats/reference/docker-reference.ts';
import type { ImageName } from '../formats/reference/image-name.ts';

/** Manifest bytes exactly as stored, and the digest computed from them (never one that a server claimed). */
export interface ManifestBlob {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
}

export interface ReadOptions {
  readonly signal?: AbortSignal;
  /**
   * The caller is done with each chunk before it asks for the next, so that its memory may be used again. Reading a
   * gigabyte into new buffers costs a second of garbage collection beside a large tree.
   */
  readonly reuseChunks?: boolean;
  /**
   * The bytes go to `putBlob` of a destination, which checks length and digest before anything can be seen of them:
   * the source need not hash them as well.
   */
  readonly checkedByDestination?: boolean;
  /** Registries only, together with `checkedByDestination`: leave out so many bytes, which the destination has. */
  readonly offset?: number;
}

export interface ImageSource {
  readonly name: ImageName;
  /** What the name means. Resolved once: the same bytes for as long as the source is open. */
  topManifest(): Promise<ManifestBlob>;
  /** A manifest by digest, for an instance of an index. Throws `store/digest-mismatch`. */
  manifest(digest: Digest): Promise<ManifestBlob>;
  /**
   * The bytes of a blob, as they arrive. Length and digest are checked while they pass: the iteration throws
   * `store/size-mismatch` or `store/digest-mismatch` (exit 1) instead of ending when they do not fit, so
   * nothing made from the bytes may be used before the iteration has ended.
   */
  blob(descriptor: Descriptor, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /**
   * Stores that keep layers decoded, whatever the manifest says of their media type: a layer by its diffID. `blob` gives
   * those layers that have this digest in the manifest too.
   */
  plainLayer?(diffId: Digest): Promise<PlainLayer>;
  /** The sigstore attachment manifest (tag `sha256-HEX.sig`), or undefined where there is none. */
  attachment?(digest: Digest): Promise<ManifestBlob | undefined>;
  /** Descriptors of the artifacts that claim to refer to a manifest (registries). None of it is checked. */
  referrers?(digest: Digest): Promise<readonly Descriptor[]>;
  /** Signatures that the transport keeps beside the image (`dir:`), as stored. */
  storedSignatures?(digest: Digest): Promise<Uint8Array[]>;
  /**
   * Registries only: the repository that is read in truth, where a mirror stands in for that of the name. registries.d
   * goes by it; policy and identity go by the name.
   */
  readonly physical?: DockerReference;
  /** Registries only: other servers, with the limits of the registry's own client; its authorisation stays out. */
  readonly web?: WebClient;
  /** Registries only: simple signatures that the registry keeps itself; undefined where it keeps none. */
  extensionSignatures?(digest: Digest): Promise<SimpleSignatures | undefined>;
  close(): Promise<void>;
}

export interface WebClient {
  send(request: {
    readonly method: 'GET';
    readonly url: URL;
    readonly headers?: Readonly<Record<string, string>>;
  }): Promise<WebReply>;
}

/** Must be read or discarded. */
export interface WebReply {
  readonly status: number;
  header(name: string): string | undefined;
  /** The whole body; `store/too-large` beyond `limit` bytes. */
  bytes(limit: number, what: string): Promise<Uint8Array>;
  discard(): Promise<void>;
}

/** Simple signatures of one manifest, as stored. */
export interface SimpleSignatures {
  /** For people: the folder or the URL. */
  readonly place: string;
  /** Each with the name that the peers give it in messages. */
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array; readonly isHtml?: boolean }[];
}

/** A decoded layer. */
export interface PlainLayer {
  /** Bytes. */
  readonly size: number;
  /** Checked as {@link ImageSource.blob} checks. */
  open(options?: ReadOptions): AsyncIterable<Uint8Array>;
}

export interface SignatureExtension {
  read(digest: Digest): Promise<SimpleSignatures>;
  /** Adds those that are not there. */
  append(digest: Digest, signatures: readonly Uint8Array[]): Promise<void>;
}

export interface ImageDestination {
  readonly name: ImageName;
  hasBlob(descriptor: Descriptor): Promise<boolean>;
  /** Registries only: take the blob over from another repository of the same registry, if it will give it. */
  mountBlob?(descriptor: Descriptor, fromRepository: string): Promise<boolean>;
  /** Checks length and digest while writing; a mismatch leaves nothing behind. */
  putBlob(descriptor: Descriptor, bytes: AsyncIterable<Uint8Array>, options?: ReadOptions): Promise<void>;
  /**
   * As `putBlob`, going on where a run that was killed had stopped: `rest` gives the bytes from an offset on, and may be
   * called again with 0 when what was there turns out to be damaged.
   */
  resumeBlob?(descriptor: Descriptor, rest: (offset: number) => AsyncIterable<Uint8Array>): Promise<void>;
  /** An instance of an index: stored by digest, without a name. */
  putInstance(manifest: ManifestBlob): Promise<void>;
  /** The manifest that the name will mean. Nothing is visible under the name before `commit`. */
  putTopManifest(manifest: ManifestBlob): Promise<void>;
  /** The sigstore attachment manifest that is there now: read afresh at every call, to be extended. */
  attachment?(digest: Digest): Promise<ManifestBlob | undefined>;
  /** What the attachment names, checked as a source checks it. Present together with `attachment`. */
  blob?(descriptor: Descriptor, options?: ReadOptions): AsyncIterable<Uint8Array>;
  /** Writes the sigstore attachment manifest (tag `sha256-HEX.sig`) of an image. */
  putAttachment?(digest: Digest, manifest: ManifestBlob): Promise<void>;
  /** Stores an artifact whose subject is the manifest `digest`, and lists it; its blobs must be there. */
  putReferrer?(digest: Digest, manifest: ManifestBlob, descriptor: Descriptor): Promise<void>;
  /** Takes artifacts off the list of a manifest, and deletes them. */
  removeReferrers?(digest: Digest, artifacts: readonly Digest[]): Promise<void>;
  /** Registries only: where simple signatures go when the registry keeps them itself. */
  readonly signatureExtension?: SignatureExtension;
  /** Writes signatures that the transport keeps beside the image (`dir:`). */
  putSignatures?(digest: Digest, signatures: readonly Uint8Array[]): Promise<void>;
  /** Makes the image visible under its name, at once and whole. */
  commit(): Promise<void>;
  /** Removes whatever this destination wrote and nothing refers to. Safe after any failure, and after commit. */
  abort(): Promise<void>;
}

/** A layer as its manifest and configuration describe it, and where its bytes come from. */
export interface LayerInput {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Digest of the decoded bytes, from the image configuration. */
  readonly diffId: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  /** Of the descriptor, where `open` gives the very blob that it describes. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The blob. Whoever gives it checks `digest` and `size` by the end of the iteration. May be called again. */
  open(signal?: AbortSignal): AsyncIterable<Uint8Array>;
}
