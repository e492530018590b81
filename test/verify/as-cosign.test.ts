/** What cosign said, recorded, against what `verify --as cosign` says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { parsePublicKey } from '../../src/formats/cosign/public-key.ts';
import { openSource } from '../../src/stores/open.ts';
import type { ImageSource } from '../../src/stores/image.ts';
import { verifyAsCosign, type CosignVerdict } from '../../src/verify/as-cosign.ts';
import { startVectorRegistry } from '../support/policy-vectors.ts';
import { vectorPath } from '../support/project.ts';
import type { TestRegistry } from '../support/registry.ts';
import { dockerName } from '../support/signing.ts';

interface Recorded {
  readonly step: string;
  readonly image?: string;
  readonly form?: string;
  readonly flags?: readonly string[];
  readonly exit: number;
}

const recorded = (JSON.parse(readFileSync(vectorPath('policy', 'cosign.json'), 'utf8')) as Recorded[]).filter(
  ({ step }) => step === 'verify',
);

let registry: TestRegistry;
before(async () => {
  registry = await startVectorRegistry();
});
after(() => registry.stop());

async function ask({ image = '', form = '', flags = [] }: Recorded): Promise<CosignVerdict> {
  const pair = image === 'p384' ? 'cosign-p384' : 'cosign';
  const file = flags.includes('wrong key') ? 'p256b.pub' : `${pair}.pub`;
  const key = { key: parsePublicKey(readFileSync(vectorPath('policy', 'keys', file))), source: file };
  const name = dockerName(`${registry.host}/cosign/${image}-${form}:v1`);
  const source = await openSource(name);
  try {
    // cosign told to leave bundles alone sees a registry that has none.
    const without = flags.includes('--new-bundle-format=false');
    const asked: ImageSource = without ? { ...source, referrers: () => Promise.resolve([]) } : source;
    return await verifyAsCosign({ image: name, key }, { source: asked });
  } finally {
    await source.close();
  }
}

for (const each of recorded) {
  const { image = '', form = '', flags = [], exit } = each;
  test(`cosign.json: ${image} ${form} ${flags.join(' ')}: ${exit === 0 ? 'accepts' : 'refuses'}`, async () => {
    const verdict = await ask(each);
    assert.equal(verdict.allowed, exit === 0, verdict.message);
    // Exit 10: nothing found; 12: an attachment that does not fit; 1: a bundle that does not.
    if (exit === 10) assert.equal(verdict.reasonCode, 'trust/no-signature');
    if (exit === 12)
      assert.deepEqual([verdict.form, verdict.reasonCode], ['attachment', 'trust/bad-signature']);
    if (exit === 1) assert.deepEqual([verdict.form, verdict.reasonCode], ['bundle', 'trust/bad-signature']);
  });
}

test('there are recorded cases', () => assert(recorded.length >= 48, String(recorded.length)));
