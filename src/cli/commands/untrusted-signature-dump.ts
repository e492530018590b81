/** `untrusted-signature-dump-without-verification SIGNATURE`: what a simple signature claims. */
import { defineCommand, text, type Command } from '../command.ts';

export const command: Command = defineCommand<object, [signature: string]>({
  description:
    'Prints what a simple signature claims, as skopeo does. NOTHING of it is checked: anyone can write such a file. ' +
    'For finding out why a signature is refused, and for nothing else.',
  flags: {},
  args: [{ parse: text, placeholder: 'SIGNATURE', brief: 'file with the signature' }],
  async run(_context, _flags, file) {
    const { readUntrustedSignature } = await import('../../verify/standalone.ts');
    const { digest, reference, creator, timestamp, keyId } = await readUntrustedSignature(file);
    const untrusted = {
      UntrustedDockerManifestDigest: digest,
      UntrustedDockerReference: reference,
      UntrustedCreatorID: creator ?? null,
      UntrustedTimestamp: timestamp === undefined ? null : timeText(timestamp),
      UntrustedShortKeyIdentifier: keyId,
    };
    // JSON leaves some control characters as they are that a terminal would obey.
    const shown = JSON.stringify(untrusted, null, 4).replaceAll(
      /[\u007f-\uffff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    return { ok: true, text: shown, json: untrusted };
  },
});

/** Seconds since 1970 as RFC 3339; beyond what a date can be, the number. */
function timeText(seconds: number): string | number {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? seconds : date.toISOString().replace('.000Z', 'Z');
}
