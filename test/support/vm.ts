/**
 * A virtual machine with OVMF and enforced Secure Boot, by QEMU's own emulation: no KVM, which firmware with
 * SMM would need from the host's kernel and nested machines often lack.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { enrolKeys, type EnrolledKeys } from '../../src/formats/authvar/varstore.ts';

/** The build of OVMF that enforces Secure Boot; the others of trixie and later do not check anything. */
const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd';
const VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';
const SECTOR = 512;
/** Partition offset and slack for the backup table, in bytes. */
const MIB = 1024 * 1024;

const PROGRAMS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'mkfs.vfat': 'dosfstools',
  mmd: 'mtools',
  mcopy: 'mtools',
  sfdisk: 'fdisk',
};

/** Contents of the EFI system partition: path with `/` → bytes. */
export type EspFiles = Readonly<Record<string, Uint8Array>>;

export interface BootOptions {
  readonly esp: EspFiles;
  readonly keys: EnrolledKeys;
  /** The machine is stopped as soon as the console has shown one of these, or has powered off. */
  readonly until: readonly RegExp[];
  /** Milliseconds, after which it is stopped all the same. */
  readonly timeout: number;
}

export interface BootResult {
  /** All that came over the serial console, without escape sequences. */
  readonly console: string;
  /** Why the watch ended. */
  readonly ended: 'matched' | 'powered off' | 'timeout';
}

/** Boots once. Nothing remains afterwards: neither the process nor a file. */
export async function bootWithSecureBoot(options: BootOptions): Promise<BootResult> {
  requirePrograms();
  const folder = await mkdtemp(join(tmpdir(), 'bootseal-vm-'));
  try {
    const disk = join(folder, 'esp.img');
    const variables = join(folder, 'vars.fd');
    await writeEsp(disk, folder, options.esp);
    await writeFile(variables, enrolKeys(await readFile(VARIABLES), options.keys));
    return await watch(disk, variables, join(folder, 'serial'), options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function watch(
  disk: string,
  variables: string,
  serial: string,
  options: BootOptions,
): Promise<BootResult> {
  await writeFile(serial, '');
  const machine = spawn('qemu-system-x86_64', qemuArguments(disk, variables, serial), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  machine.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (complaint = (complaint + text).slice(-4000)));
  const exited = new Promise<number | null>((resolve) => machine.once('close', resolve));
  // The test run may be interrupted while the machine is up.
  const stop = () => machine.kill('SIGKILL');
  process.once('exit', stop);
  try {
    const deadline = Date.now() + options.timeout;
    for (;;) {
      const running = machine.exitCode === null && machine.signalCode === null;
      const text = plainText(await readFile(serial, 'latin1'));
      if (options.until.some((pattern) => pattern.test(text))) return { console: text, ended: 'matched' };
      if (!running && machine.exitCode !== 0) throw new Error(`qemu-system-x86_64 failed: ${complaint}`);
      if (!running) return { console: text, ended: 'powered off' };
      if (Date.now() > deadline) return { console: text, ended: 'timeout' };
      await sleep(200);
    }
  } finally {
    stop();
    process.removeListener('exit', stop);
    await exited;
  }
}

function qemuArguments(disk: string, variables: string, serial: string): string[] {
  return [
    // Only system management mode keeps the guest from writing the firmware's variables itself.
    ['-machine', 'q35,smm=on,accel=tcg', '-global', 'driver=cfi.pflash01,property=secure,value=on'],
    // QEMU 7.2 emulates cmpxchg16b wrongly: kernels that use it crash now and then.
    ['-cpu', 'qemu64,-cx16', '-m', '1024'],
    ['-nodefaults', '-no-reboot', '-display', 'none', '-serial', `file:${serial}`],
    ['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${FIRMWARE}`],
    ['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
    ['-drive', `if=none,id=esp,format=raw,file=${disk}`],
    ['-device', 'virtio-blk-pci,drive=esp,bootindex=1'],
  ].flat();
}

/** A disk with one EFI system partition, made without root: mtools writes FAT into plain files. */
async function writeEsp(disk: string, folder: string, files: EspFiles): Promise<void> {
  const content = Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0);
  // FAT32 has at least 65525 clusters: 34 MiB with the smallest ones.
  const size = Math.ceil(Math.max(content * 1.05 + 4 * MIB, 40 * MIB) / MIB) * MIB;
  const partition = join(folder, 'partition');
  await writeFile(partition, '');
  await truncate(partition, size);
  run('mkfs.vfat', ['-F', '32', '-s', '1', '-n', 'ESP', partition]);
  const made = new Set<string>();
  for (const [path, bytes] of Object.entries(files)) {
    for (const parent of parents(path)) {
      if (!made.has(parent)) run('mmd', ['-i', partition, `::/${parent}`]);
      made.add(parent);
    }
    const source = join(folder, 'file');
    await writeFile(source, bytes);
    run('mcopy', ['-i', partition, source, `::/${path}`]);
  }
  await writeFile(disk, '');
  await truncate(disk, size + 2 * MIB);
  run('sfdisk', ['--quiet', disk], `label: gpt\nstart=${MIB / SECTOR}, size=${size / SECTOR}, type=U\n`);
  const target = await open(disk, 'r+');
  try {
    await target.write(await readFile(partition), 0, size, MIB);
  } finally {
    await target.close();
  }
  await rm(partition);
}

function parents(path: string): string[] {
  const folder = dirname(path);
  return folder === '.' ? [] : [...parents(folder), folder];
}

function requirePrograms(): void {
  const folders = searchPath().split(':');
  const missing = Object.entries(PROGRAMS)
    .filter(([program]) => !folders.some((folder) => existsSync(join(folder, program))))
    .map(([, name]) => name);
  if (!existsSync(FIRMWARE) || !existsSync(VARIABLES)) missing.push('ovmf');
  if (missing.length > 0) {
    const names = [...new Set(missing)].join(' ');
    throw new Error(`the virtual machine needs Debian packages: sudo apt-get install -y ${names}`);
  }
}

function run(program: string, args: readonly string[], input = ''): void {
  const env = { ...process.env, PATH: searchPath(), MTOOLS_SKIP_CHECK: '1' };
  const { status, stderr, error } = spawnSync(program, args, { input, env, encoding: 'utf8' });
  if (error || status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: ${stderr}`);
}

/** Debian keeps sfdisk and mkfs in the sbin folders, which users do not search. */
function searchPath(): string {
  return `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
}

/** Firmware draws with ANSI escape sequences; tests look for words. */
function plainText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these bytes are what is to be removed
  return text.replaceAll(/\x1b\[[0-9;?=]*[A-Za-z]/g, '').replaceAll('\r', '');
}
