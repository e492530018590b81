/** `--platform OS/ARCH[/VARIANT]`. */
import type { Platform } from '../formats/oci/descriptor.ts';

export const platformFlag = {
  kind: 'parsed',
  parse: parsePlatform,
  optional: true,
  placeholder: 'OS/ARCH',
  brief: 'instance of an index, default this machine’s: linux/amd64, linux/arm64, …',
} as const;

function parsePlatform(input: string): Platform {
  const match = /^([a-z0-9]{1,32})\/([a-z0-9]{1,32})(?:\/([a-z0-9.]{1,32}))?$/.exec(input);
  if (match === null) throw new Error(`"${input}" is not OS/ARCH or OS/ARCH/VARIANT`);
  const [, os, architecture, variant] = match;
  return { os, architecture, ...(variant !== undefined && { variant }) };
}
