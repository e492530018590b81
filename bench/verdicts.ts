/**
 * Verdicts of a policy in one process, with the manifest, its signature and the key in memory.
 *
 *   node .build/bench/verdicts.js [--seconds N]
 *
 * The claims: at least 3,000 verdicts a second over ECDSA P-256, and 300 over OpenPGP, on one core (this process uses
 * no other). Each verdict looks the scope up, checks the signature, and reads what it says. Exits with 1 when one fails.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseStoredSignature, type RawSignature } from '../src/formats/cosign/signature.ts';
import { digestOf } from '../src/formats/oci/digest.ts';
import { parsePolicy } from '../src/formats/policy-json/reader.ts';
import { parseImageName } from '../src/formats/reference/image-name.ts';
import { evaluatePolicy } from '../src/trust/evaluate.ts';
import { vectorPath } from '../test/support/project.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '3' } } });
const bytes = readFileSync(vectorPath('policy', 'images', 'app', 'manifest.json'));
const manifest = { bytes, digest: digestOf(bytes) };
const file = (...path: string[]): Uint8Array => readFileSync(vectorPath('policy', ...path));
const key = {
  sigstore: file('keys', 'skopeo-made.pub'),
  gpg: file('keys', 'gpg-ed.gpg'),
};

interface Kind {
  readonly name: string;
  readonly least: number;
  readonly requirement: object;
  readonly key: Uint8Array;
  readonly signature: RawSignature;
}

const made = ['signature-1', 'signature-2'].map((name) =>
  parseStoredSignature(file('images', 'made-by-skopeo', name)),
);
const ofKind = (kind: RawSignature['kind']): RawSignature => {
  const found = made.find((signature) => signature.kind === kind);
  if (found === undefined) throw new Error(`no ${kind} signature in the vectors`);
  return found;
};
const signedIdentity = { type: 'matchRepository' };
const KINDS: readonly Kind[] = [
  {
    name: 'ECDSA P-256',
    least: 3000,
    requirement: { type: 'sigstoreSigned', keyPath: '/key', signedIdentity },
    key: key.sigstore,
    signature: ofKind('sigstore'),
  },
  {
    name: 'OpenPGP Ed25519',
    least: 300,
    requirement: { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/key', signedIdentity },
    key: key.gpg,
    signature: ofKind('simple-signing'),
  },
];

const image = parseImageName('docker://127.0.0.1:5117/made/skopeo:v1');

async function perSecond(
  { requirement, key: bytesOfKey, signature }: Kind,
  seconds: number,
): Promise<number> {
  const text = JSON.stringify({
    default: [{ type: 'reject' }],
    transports: { docker: { '127.0.0.1:5117/made': [requirement] } },
  });
  const policy = parsePolicy(Buffer.from(text), { file: 'policy.json' });
  const question = {
    image,
    manifest,
    signatures: [signature],
    keys: { read: () => Promise.resolve(bytesOfKey) },
    clock: { now: () => Date.now() },
    policyFile: 'policy.json',
  };
  let count = 0;
  const start = performance.now();
  while (performance.now() - start < seconds * 1000) {
    for (let at = 0; at < 50; at++) {
      const verdict = await evaluatePolicy(policy, question);
      if (!verdict.verified) throw new Error(verdict.message);
    }
    count += 50;
  }
  return count / ((performance.now() - start) / 1000);
}

let ok = true;
for (const kind of KINDS) {
  await perSecond(kind, 0.5);
  const before = process.cpuUsage();
  const started = performance.now();
  const rate = await perSecond(kind, Number(values.seconds));
  const { user, system } = process.cpuUsage(before);
  // On a busy machine the core is shared: what counts is the time that the process had.
  const share = Math.min(1, (user + system) / 1000 / (performance.now() - started));
  const perCore = rate / share;
  console.log(
    `${kind.name.padEnd(16)} ${perCore.toFixed(0)} verdicts a second a core (at least ${kind.least}; ${rate.toFixed(0)} on the clock)`,
  );
  ok &&= perCore >= kind.least;
}
process.exitCode = ok ? 0 : 1;
