/**
 * `bootseal uki build`, signed, against `ukify build --signtool=sbsign` with the same files, run in turn in the same
 * run: a kernel of 15 MiB and an initrd of 45 MiB.
 *
 *   node .build/bench/uki.js [--runs N]
 *
 * The claim: at most half the time, at most 150 MiB, and the same image hash. What it costs to enter the tree of the
 * peers is measured and taken off theirs. Exits with 1 when it does not hold.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gatherParts } from '../src/bytes/rope.ts';
import { verifyPe } from '../src/formats/authenticode/verify.ts';
import { buildCertificate } from '../src/formats/x509/build.ts';
import { assembleUki } from '../src/uki/assemble.ts';
import { projectRoot } from '../test/support/project.ts';
import { vectorFile } from '../test/support/uki-vectors.ts';
import { measure, median } from './support/measure.ts';

const MAX_RATIO = 0.5;
const MAX_MEMORY = 150;
const MIB = 2 ** 20;

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const peers = join(projectRoot(), 'scripts', 'peers');
const folder = mkdtempSync(join(tmpdir(), 'bootseal-bench-'));
const path = (name: string): string => join(folder, name);

/** The same bytes at every run, and no pattern that a checksum could profit from. */
function noise(size: number): Uint8Array {
  const words = new Uint32Array(size / 4);
  let state = 0x5eed;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer);
}

function writeInputs(): void {
  const stub = vectorFile('stub-x64.efi');
  const extra = [{ name: '.blob', data: noise(15 * MIB) }];
  writeFileSync(path('stub'), stub);
  writeFileSync(path('linux'), gatherParts(assembleUki({ stub, sections: { extra } })));
  writeFileSync(path('initrd'), noise(45 * MIB));
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
  const dates = { notBefore: new Date('2020-01-01'), notAfter: new Date('2050-01-01') };
  const certificate = buildCertificate({ commonName: 'bench', publicKey, signingKey: privateKey, ...dates });
  const base64 = Buffer.from(certificate).toString('base64');
  writeFileSync(path('db.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(
    path('db.crt'),
    `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  );
}

function verdict(output: string): string {
  const certificate = Buffer.from(readFileSync(path('db.crt'), 'latin1').split('-----')[2], 'base64');
  const result = verifyPe(readFileSync(path(output)), { anchors: [certificate] });
  if (!result.accepted) throw new Error(`${output}: ${result.reasons[0]?.message}`);
  return result.authenticodeSha256!;
}

let ok = false;
try {
  writeInputs();
  const options = (output: string): string[] => [
    'build',
    `--stub=${path('stub')}`,
    `--linux=${path('linux')}`,
    `--initrd=${path('initrd')}`,
    '--os-release=',
    '--uname=6.1',
    '--cmdline=quiet',
    '--signtool=sbsign',
    `--secureboot-private-key=${path('db.key')}`,
    `--secureboot-certificate=${path('db.crt')}`,
    `--output=${path(output)}`,
  ];
  const ours: number[] = [];
  const theirs: number[] = [];
  let peak = 0;
  for (let run = 0; run < Number(values.runs); run++) {
    const entering = await measure([peers, 'run', 'true']);
    const ukify = await measure([peers, 'run', 'ukify', ...options('ukify.efi')]);
    const bootseal = await measure([process.execPath, cli, 'uki', ...options('bootseal.efi')]);
    theirs.push(ukify.seconds - entering.seconds);
    ours.push(bootseal.seconds);
    peak = Math.max(peak, bootseal.peak);
  }
  if (verdict('bootseal.efi') !== verdict('ukify.efi')) throw new Error('the two images differ');
  const ratio = median(ours) / median(theirs);
  console.log(
    `bootseal uki build  ${median(ours).toFixed(2)} s  peak ${peak.toFixed(0)} MiB (limit ${MAX_MEMORY})`,
  );
  console.log(`ukify and sbsign    ${median(theirs).toFixed(2)} s`);
  console.log(`ratio               ${ratio.toFixed(2)} (limit ${MAX_RATIO}, ${values.runs} runs in turn)`);
  ok = ratio <= MAX_RATIO && peak <= MAX_MEMORY;
} finally {
  rmSync(folder, { recursive: true });
}
process.exitCode = ok ? 0 : 1;
