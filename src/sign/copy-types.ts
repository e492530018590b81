/** What a copy is asked, given and answers. */
import type { RawSignature } from '../formats/cosign/signature.ts';
import type { Platform } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import type { RegistriesConfig } from '../formats/registries-d/config.ts';
import type { Step } from '../steps.ts';
import type { ImageSource } from '../stores/image.ts';
import type { TransportOptions } from '../stores/open.ts';
import type { PolicyVerdict } from '../trust/verdict.ts';
import type { Admit } from '../verify/admit.ts';
import type { BlobCounts, ProgressPort } from './copy-blobs.ts';

export interface CopyRequest {
  readonly from: ImageName;
  readonly to: ImageName;
  /** Of an index: the index and every instance. Else the instance for the platform becomes the image. */
  readonly all?: boolean;
  /** Of an index: the index alone, without its instances. The policy judges the index then. */
  readonly indexOnly?: boolean;
  /** Refuse a manifest of another kind: manifests are never converted. */
  readonly format?: ManifestFormat;
  /** Judge, and find out what would be copied; write nothing. */
  readonly dryRun?: boolean;
  /** Default: this machine's. */
  readonly platform?: Platform;
  /** Leave behind the signatures that the source has. */
  readonly removeSignatures?: boolean;
  /** Blobs at a time, 4 by default. */
  readonly parallel?: number;
}

/** As skopeo calls them: OCI, and Docker's schema 2. */
export type ManifestFormat = 'oci' | 'v2s2';

/** Signs manifests while they are copied; the key and the identity are the caller's. */
export interface CopySigner {
  sign(digest: Digest): RawSignature | Promise<RawSignature>;
  /** True for a signature that says what `sign` would say: it is not made again. */
  isOwn(signature: RawSignature, digest: Digest): boolean | Promise<boolean>;
}

export interface CopyPorts {
  /** The policy. Left out: every source is accepted (`--insecure-policy`). */
  readonly admit?: Admit;
  /** Where signatures are looked for at the source, and where simple ones are written for the destination. */
  readonly registries?: RegistriesConfig;
  readonly env?: NodeJS.ProcessEnv;
  readonly signers?: readonly CopySigner[];
  readonly sourceTransport?: TransportOptions;
  readonly destinationTransport?: TransportOptions;
  /** An open source is used and left open. */
  readonly source?: ImageSource;
  readonly progress?: ProgressPort;
  readonly signal?: AbortSignal;
}

export interface CopyResult {
  /** What the destination's name now means. */
  readonly digest: Digest;
  readonly mediaType: string;
  /** Images copied: one, or with `all` every instance. */
  readonly images: readonly Digest[];
  /** One for each image, where there was a policy. */
  readonly verdicts: readonly PolicyVerdict[];
  readonly blobs: Readonly<BlobCounts>;
  /** Signatures that came along, and those made. */
  readonly signatures: { readonly copied: number; readonly made: number };
  readonly steps: readonly Step[];
}
