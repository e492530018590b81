/** Follows a layer while it is read, and compares its table of contents with its archive at the end. */
export interface TocCheck {
  /** Bytes of the blob, in order. A view, valid during the call only. */
  blob(bytes: Uint8Array): void;
  /** Decoded bytes, likewise. */
  archive(bytes: Uint8Array): void;
  /** All of the layer has come, and is what its digest and diffID say. */
  end(): Promise<void>;
}
