/** Texts that an image gives its own boot: kargs.d files, the command line of a UKI, SBAT lines. */
import { decodeUtf8 } from '../../src/bytes/bytes.ts';
import { composefsKarg, normaliseCmdline, parseCmdline } from '../../src/uki/cmdline.ts';
import { kargsFromToml } from '../../src/uki/kargs.ts';
import { mergeSbat } from '../../src/uki/sbat.ts';
import type { FuzzTarget } from './harness.ts';

const TEXTS: readonly string[] = [
  'kargs = ["console=ttyS0,115200n8", "rw"]\nmatch-architectures = ["x86_64"]\n',
  `console=tty0 root="LABEL=a b" quiet composefs=${'4f'.repeat(64)}`,
  `composefs.digest=sha512-12:${'4f'.repeat(64)} rw`,
  'sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\nsystemd,1,The systemd Developers,systemd,252,https://systemd.io/\n',
];

export const target: FuzzTarget = {
  name: 'boot-text',
  seeds: () => TEXTS.map((text) => new TextEncoder().encode(text)),
  run(bytes) {
    const text = decodeUtf8(bytes);
    if (text !== undefined) {
      mergeSbat([text]);
      checkCmdline(text);
    }
    if (text?.startsWith('sbat,') === true || text?.includes('composefs') === true) composefsKarg(bytes);
    else kargsFromToml([{ name: '10-fuzz.toml', bytes }], 'x86_64');
  },
};

/** What ukify's normalisation leaves must say the same to the kernel, where no quote protects a space. */
function checkCmdline(text: string): void {
  if (text.includes('"') || !/^[\x20-\x7e]*$/.test(text)) return;
  const before = JSON.stringify(parseCmdline(text));
  if (JSON.stringify(parseCmdline(normaliseCmdline(text))) !== before)
    throw new Error('normalising changed an argument');
}
