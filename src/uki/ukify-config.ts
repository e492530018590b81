/**
 * ukify's configuration file (ukify(1), "Config file"), as far as `uki build` has the options: `[UKI]`, one setting a
 * line, `#` comments, indented lines go on with the value. Read only when named: ukify also looks for one in /etc.
 */
import { BootsealError } from '../errors.ts';
import { splitWords } from './python-text.ts';

/** Option in camel case → its values. */
export type UkifyConfig = Readonly<Record<string, readonly string[]>>;

type Kind = 'one' | 'list';

const SETTINGS: Readonly<Record<string, readonly [option: string, kind: Kind]>> = {
  Linux: ['linux', 'one'],
  OSRelease: ['osRelease', 'one'],
  Cmdline: ['cmdline', 'one'],
  Initrd: ['initrd', 'list'],
  Firmware: ['efifw', 'list'],
  Microcode: ['microcode', 'one'],
  Splash: ['splash', 'one'],
  DeviceTree: ['devicetree', 'one'],
  DeviceTreeAuto: ['devicetreeAuto', 'list'],
  HWIDs: ['hwids', 'one'],
  Uname: ['uname', 'one'],
  SBAT: ['sbat', 'one'],
  PCRPKey: ['pcrpkey', 'one'],
  Profile: ['profile', 'one'],
  EFIArch: ['efiArch', 'one'],
  Stub: ['stub', 'one'],
  SecureBootSigningTool: ['signtool', 'one'],
  SecureBootPrivateKey: ['securebootPrivateKey', 'one'],
  SecureBootCertificate: ['securebootCertificate', 'one'],
};
/** What ukify has and `uki build` has not: leaving it out unseen would change what is built. */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  'PCRSig',
  'PCRBanks',
  'SigningEngine',
  'SigningProvider',
  'CertificateProvider',
  'SignInitrdPCRs',
  'SecureBootCertificateName',
  'SecureBootCertificateDir',
  'SignKernel',
]);

/** Unknown settings are warned of, as ukify does. Errors are `uki/config` with the line. */
export function parseUkifyConfig(text: string, warn: (message: string) => void): UkifyConfig {
  const config: Record<string, readonly string[]> = {};
  for (const { section, name, value, line } of readSettings(text)) {
    if (section !== 'UKI' || UNSUPPORTED.has(name)) {
      throw bad(`[${section}] ${name} is not supported`, line);
    }
    const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    if (setting === undefined) {
      warn(`Unknown config setting [${section}] ${name}=`);
      continue;
    }
    const [option, kind] = setting;
    config[option] = kind === 'list' ? splitWords(value) : [value];
  }
  return config;
}

interface Setting {
  readonly section: string;
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

function readSettings(text: string): Setting[] {
  const settings: Setting[] = [];
  let section: string | undefined;
  let goingOn = false;
  for (const [index, full] of text.split(/\r?\n/).entries()) {
    const line = full.replace(/(^|\s)#.*$/, '').trimEnd();
    const indented = /^\s/.test(line);
    if (line === '') {
      // An empty line ends a value; a comment alone does not.
      goingOn &&= full.trim() !== '';
    } else if (indented && goingOn) {
      const last = settings.pop()!;
      settings.push({ ...last, value: `${last.value}\n${line.trim()}` });
    } else if (/^\[.+\]$/.test(line)) {
      section = line.slice(1, -1);
      goingOn = false;
    } else {
      const [, name, value] = /^\s*([^=\s][^=]*?)\s*=\s*(.*)$/.exec(line) ?? [];
      if (section === undefined || name === undefined || value === undefined) {
        throw bad('expected [SECTION] or NAME=VALUE', index + 1);
      }
      settings.push({ section, name, value, line: index + 1 });
      goingOn = true;
    }
  }
  return settings;
}

function bad(message: string, line: number): BootsealError {
  return new BootsealError('uki/config', message, { where: `line ${line}`, exit: 2 });
}
