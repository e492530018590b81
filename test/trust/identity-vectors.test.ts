/** Which names in a signature stand for which image: skopeo's answers, and properties of every rule. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { IdentityMatch } from '../../src/formats/policy-json/policy.ts';
import { parsePolicy } from '../../src/formats/policy-json/reader.ts';
import { formatReference, parseDockerReference } from '../../src/formats/reference/docker-reference.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { matchesIdentity } from '../../src/trust/identity.ts';
import { policyCases, type PolicyCase } from '../support/policy-vectors.ts';

const REFUSED = /Signature for identity "(.*)" is not accepted$/;

/** The signature file of a case; the name in it is what the refusals of the same file say. */
function signatureFile(item: PolicyCase): string | undefined {
  return Object.values(item.copies ?? {}).find((from) => from.startsWith('signatures/'));
}

describe('identity vectors', () => {
  const cases = policyCases().filter(({ kind }) => kind === 'identity');
  const names = new Map<string, string>();
  for (const item of cases) {
    const name = REFUSED.exec(item.message)?.[1];
    const file = signatureFile(item);
    if (name !== undefined && file !== undefined) names.set(file, name);
  }
  let compared = 0;
  for (const item of cases) {
    const signed = names.get(signatureFile(item) ?? '');
    if (signed === undefined) continue;
    compared += 1;
    test(`${item.name}: ${signed}`, () => {
      const image = parseImageName(item.reference);
      const reference = image.transport === 'docker' ? image.reference : undefined;
      assert.equal(matchesIdentity(ruleOf(item), reference, signed), item.expected === 'accept');
    });
  }
  test('nearly all of them are compared', () => assert.equal(compared, 89));
});

function ruleOf(item: PolicyCase): IdentityMatch {
  const policy = parsePolicy(Buffer.from(item.files?.['policy.json'] ?? ''), { file: 'policy.json' });
  const requirement = policy.default[0];
  assert(requirement?.type === 'signedBy' || requirement?.type === 'sigstoreSigned');
  return requirement.signedIdentity;
}

const part = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const reference = fc
  .record({ host: part, repository: fc.array(part, { minLength: 1, maxLength: 3 }), tag: part })
  .map(({ host, repository, tag }) => `${host}.test/${repository.join('/')}:${tag}`);
const rule: fc.Arbitrary<IdentityMatch> = fc.constantFrom(
  { type: 'matchExact' },
  { type: 'matchRepoDigestOrExact' },
  { type: 'matchRepository' },
);

test('an image signed under its own name is accepted by every rule', () => {
  fc.assert(
    fc.property(rule, reference, (identity, name) =>
      matchesIdentity(identity, parseDockerReference(name), name),
    ),
  );
});

test('no rule accepts a name of another repository', () => {
  fc.assert(
    fc.property(rule, reference, reference, (identity, image, signed) => {
      const a = parseDockerReference(image);
      const b = parseDockerReference(signed);
      if (a.domain === b.domain && a.path === b.path) return true;
      return !matchesIdentity(identity, a, signed);
    }),
  );
});

test('a remapped image is accepted under the signed name only', () => {
  fc.assert(
    fc.property(reference, part, (name, host) => {
      const image = parseDockerReference(name);
      const signed = `${host}.signed.test${formatReference(image).slice(image.domain.length)}`;
      const remap: IdentityMatch = {
        type: 'remapIdentity',
        prefix: image.domain,
        signedPrefix: `${host}.signed.test`,
      };
      return matchesIdentity(remap, image, signed) && !matchesIdentity(remap, image, name);
    }),
  );
});

test('text that is no reference matches nothing', () => {
  const image = parseDockerReference('quay.io/acme/os:1');
  fc.assert(
    fc.property(fc.string(), rule, (text, identity) => {
      return text === 'quay.io/acme/os:1' || !matchesIdentity(identity, image, `${text}\n`);
    }),
  );
});
