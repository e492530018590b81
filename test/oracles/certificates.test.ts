/**
 * Generated certificate chains under a `pki` requirement: our path validation decides as Go's x509 in skopeo does.
 * BOOTSEAL_SEED repeats a run, BOOTSEAL_CHAIN_CASES sets the number of cases.
 */
import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isBootsealError } from '../../src/errors.ts';
import { encodePayload } from '../../src/formats/cosign/payload.ts';
import { encodeStoredSignature, SIGNATURE_ANNOTATION } from '../../src/formats/cosign/signature.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { readFileSync } from 'node:fs';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { verifyImage } from '../../src/verify/verify.ts';
import { generateChain, type GeneratedChain } from '../support/chain-generator.ts';
import { vectorPath } from '../support/project.ts';
import { chooseSeed, makeRandom } from '../support/random.ts';
import { runSkopeo, type SkopeoRun } from '../support/skopeo-batch.ts';

const seed = chooseSeed();
const count = Number(process.env['BOOTSEAL_CHAIN_CASES'] ?? 500);
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bootseal-chains-')));
after(() => rmSync(folder, { recursive: true, force: true }));
const identity = 'quay.io/org/app:v1';
const digest = digestOf(readFileSync(vectorPath('policy', 'images', 'app', 'manifest.json')));

test(`the same verdict as skopeo on ${count} generated chains, seed ${seed}`, async (context) => {
  const random = makeRandom(seed);
  const runs: SkopeoRun[] = [];
  for (let number = 0; number < count; number++) {
    const name = String(number).padStart(5, '0');
    writeCase(join(folder, name), generateChain(random));
    const policy = join(folder, name, 'policy.json');
    runs.push({ name, global: ['--policy', policy], copy: [`dir:${join(folder, name, 'img')}`] });
  }
  const theirs = runSkopeo(join(folder, 'runs'), runs);
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  let words = 0;
  for (const { name } of runs) {
    const expected = theirs.get(name)!;
    const ours = await judge(join(folder, name));
    counts[expected.verdict] = (counts[expected.verdict] ?? 0) + 1;
    if (timeless(ours.message) === timeless(expected.message)) words += 1;
    else if (process.env['BOOTSEAL_WORDS']) context.diagnostic(`${expected.message}\n  ${ours.message}`);
    if (ours.verdict !== expected.verdict)
      wrong.push(`${name}: ${expected.message}\n  ours: ${ours.message}`);
  }
  context.diagnostic(`${JSON.stringify(counts)}, in the same words: ${words}`);
  assert.equal(
    wrong.length,
    0,
    `${wrong.length} of ${count} differ, seed ${seed}\n${wrong.slice(0, 20).join('\n')}`,
  );
  for (const verdict of ['accept', 'reject']) assert(counts[verdict] > count / 20, JSON.stringify(counts));
});

function timeless(message: string): string {
  return message.replace(/current time \S+/, 'current time NOW');
}

function writeCase(place: string, { leaf, chain, roots, intermediates, hostname }: GeneratedChain): void {
  const image = join(place, 'img');
  mkdirSync(place, { recursive: true });
  cpSync(vectorPath('policy', 'images', 'app'), image, { recursive: true });
  const payload = encodePayload({ manifestDigest: digest, dockerReference: identity });
  const hash = leaf.key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const annotations = new Map([
    [SIGNATURE_ANNOTATION, sign(hash, payload, leaf.key).toString('base64')],
    ['dev.sigstore.cosign/certificate', leaf.pem],
    ['dev.sigstore.cosign/chain', chain],
  ]);
  const mimeType = MEDIA_TYPES.cosignSimpleSigning;
  writeFileSync(
    join(image, 'signature-1'),
    encodeStoredSignature({ kind: 'sigstore', mimeType, payload, annotations }),
  );
  writeFileSync(join(place, 'roots.pem'), roots);
  if (intermediates !== undefined) writeFileSync(join(place, 'intermediates.pem'), intermediates);
  const pki = {
    caRootsPath: join(place, 'roots.pem'),
    ...(intermediates !== undefined && { caIntermediatesPath: join(place, 'intermediates.pem') }),
    subjectEmail: 'dev@example.com',
    ...(hostname !== undefined && { subjectHostname: hostname }),
  };
  const signedIdentity = { type: 'exactReference', dockerReference: identity };
  const requirement = { type: 'sigstoreSigned', pki, signedIdentity };
  writeFileSync(join(place, 'policy.json'), JSON.stringify({ default: [requirement] }));
}

async function judge(place: string): Promise<{ readonly verdict: string; readonly message: string }> {
  try {
    const { allowed, message = '' } = await verifyImage({
      image: parseImageName(`dir:${join(place, 'img')}`),
      policyFile: join(place, 'policy.json'),
    });
    return { verdict: allowed ? 'accept' : 'reject', message };
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    return { verdict: error.code, message: error.message };
  }
}
