/** A registries.d file that turns sigstore attachments on for one namespace. */
import { encodeUtf8 } from '../../bytes/bytes.ts';

/** `namespace`: `quay.io/acme/os`, a parent of it, or a host. */
export function encodeAttachmentsFile(namespace: string): Uint8Array {
  // A double-quoted YAML scalar is a JSON string for the characters that a repository name can have.
  return encodeUtf8(`docker:\n  ${JSON.stringify(namespace)}:\n    use-sigstore-attachments: true\n`);
}
