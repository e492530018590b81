/** policy explain, match, lint of files, images in folders: what the transcripts cannot show. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chdir, cwd } from 'node:process';
import { after, describe, test } from 'node:test';
import { explainFacts } from '../../src/cli/render/explain.ts';
import { matchFacts } from '../../src/cli/render/match.ts';
import { renderFacts } from '../../src/cli/render/steps.ts';
import { plainStyle } from '../../src/cli/render/style.ts';
import { isBootsealError } from '../../src/errors.ts';
import { parseDockerReference } from '../../src/formats/reference/docker-reference.ts';
import { parseImageName } from '../../src/formats/reference/image-name.ts';
import { explainPolicy } from '../../src/verify/explain.ts';
import { lintPolicyFile } from '../../src/verify/lint-policy.ts';
import { matchPolicy } from '../../src/verify/match-policy.ts';
import { openOffline } from '../../src/verify/offline.ts';
import { verifyImage, type VerifyResult } from '../../src/verify/verify.ts';
import { makeReplayFolder, policyCases } from '../support/policy-vectors.ts';
import { vectorPath } from '../support/project.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bootseal-explain-')));
const replay = makeReplayFolder();
const home = cwd();
after(() => {
  chdir(home);
  replay.remove();
  rmSync(folder, { recursive: true });
});

function file(name: string, content: object | string): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const key = (name: string): string => vectorPath('policy', 'keys', name);

describe('the verdict is that of verify', () => {
  const cases = policyCases().filter(
    ({ reference, expected }) => reference.startsWith('dir:') && expected !== 'invalid',
  );
  test(`${cases.length} recorded cases, with every requirement and signature judged`, async () => {
    chdir(replay.root);
    let more = 0;
    for (const item of cases) {
      replay.prepare(item);
      const request = { image: parseImageName(item.reference), policyFile: 'run/policy.json' };
      const attempt = async (exhaustive: boolean): Promise<VerifyResult | string> => {
        try {
          return await verifyImage({ ...request, exhaustive });
        } catch (error) {
          if (!isBootsealError(error)) throw error;
          return error.message;
        }
      };
      const [short, long] = [await attempt(false), await attempt(true)];
      if (typeof short === 'string' || typeof long === 'string') {
        assert.equal(long, short, item.name);
        continue;
      }
      const told = ({
        allowed,
        verified,
        reasonCode,
        message,
        pinnedDigest,
        verdict,
      }: VerifyResult): unknown[] => [allowed, verified, reasonCode, message, pinnedDigest, verdict.signedBy];
      assert.deepEqual(told(long), told(short), item.name);
      const count = ({ verdict }: VerifyResult): number =>
        verdict.requirements.reduce((sum, { signatures }) => sum + 1 + signatures.length, 0);
      assert.ok(count(long) >= count(short), item.name);
      if (count(long) > count(short)) more += 1;
    }
    chdir(home);
    assert.ok(more > 0, 'no case has more to tell');
  });
});

test('terminal escapes in an identity, a key name and a scope are shown, not obeyed', async () => {
  const escape = '\u001b]0;owned\u0007\u202e';
  const image = join(folder, 'hostile');
  cpSync(vectorPath('policy', 'images', 'app'), image, { recursive: true });
  cpSync(vectorPath('policy', 'signatures', 'gpg-ed-otherref'), join(image, 'signature-1'));
  const policyFile = file('hostile.json', {
    default: [{ type: 'sigstoreSigned', keyPath: `/no${escape}\nline` }],
    transports: { dir: { [image]: [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: `/x${escape}` }] } },
  });
  const explanation = await explainPolicy({ image: parseImageName(`dir:${image}`), policyFile });
  const hostile = {
    ...explanation,
    result: {
      ...explanation.result,
      judged: explanation.result.judged.map((judged) => ({
        ...judged,
        lookedIn: [{ place: `place${escape}\nforged`, result: escape, setting: escape }],
        verdict: {
          ...judged.verdict,
          requirements: judged.verdict.requirements.map((requirement) => ({
            ...requirement,
            signatures: [
              {
                accepted: true,
                identity: `quay.io/a${escape}\nforged  line`,
                keyFingerprint: escape,
                keySource: escape,
              },
              { accepted: false, message: `${escape}\nforged`, identity: escape },
            ],
          })),
        },
      })),
    },
  };
  const lines = renderFacts(explainFacts(hostile), plainStyle);
  const match = renderFacts(
    matchFacts(await matchPolicy({ image: parseImageName(`dir:${folder}/other`), policyFile })),
    plainStyle,
  );
  for (const line of [...lines, ...match]) {
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u202e]/);
    assert.doesNotMatch(line, /^\s*forged/);
  }
  assert.ok(lines.some((line) => line.includes('quay.io/a\\x1b]0;owned')));
});

describe('policy match', () => {
  test('names what somebody may have thought to apply', async () => {
    const policyFile = file('near.json', {
      default: [{ type: 'reject' }],
      transports: {
        docker: {
          'quay.io': [{ type: 'reject' }],
          'quay.io:5000/acme/o': [{ type: 'reject' }],
          'quay.io:5000/Acme': [{ type: 'reject' }],
          'example.com': [{ type: 'reject' }],
        },
      },
    });
    const image = parseImageName('quay.io:5000/acme/os:1');
    const { nearMisses, scope } = await matchPolicy({ image, policyFile, registriesDirectory: folder });
    assert.deepEqual(
      nearMisses.map((miss) => miss.scope),
      ['quay.io', 'quay.io:5000/acme/o', 'quay.io:5000/Acme'],
    );
    assert.deepEqual(scope, { transport: '', scope: '' });
  });

  test('tells which policy file was found, and which were not looked at', async () => {
    const config = join(folder, 'config');
    mkdirSync(join(config, 'containers'), { recursive: true });
    writeFileSync(join(config, 'containers', 'policy.json'), '{"default":[{"type":"reject"}]}');
    const image = parseImageName('dir:/nowhere');
    const { search } = await matchPolicy({ image }, { XDG_CONFIG_HOME: config, HOME: folder });
    assert.equal(search.file, join(config, 'containers', 'policy.json'));
    assert.equal(search.because, 'the first that exists');
    assert.deepEqual(search.missing, []);
    assert.ok(search.passedOver.includes('/etc/containers/policy.json'));
    const named = await matchPolicy({ image }, { CONTAINERS_POLICY_JSON: search.file, HOME: folder });
    assert.equal(named.search.because, '$CONTAINERS_POLICY_JSON');
  });
});

describe('policy lint looks at the files that are named', () => {
  const lint = async (requirement: object): Promise<string[]> => {
    const path = file('keys.json', { default: [requirement] });
    const { findings } = await lintPolicyFile({ file: path, registriesDirectory: folder });
    return findings
      .filter(({ severity }) => severity !== 'note')
      .map(({ code, message }) => `${code} ${message}`);
  };
  const gpg = (name: string): object => ({ type: 'signedBy', keyType: 'GPGKeys', keyPath: key(name) });
  const pki = (name: string): object => ({
    type: 'sigstoreSigned',
    pki: { caRootsPath: key(name), subjectEmail: 'a@b.test' },
  });

  test('good ones', async () => {
    assert.deepEqual(await lint(gpg('gpg-ed.gpg')), []);
    assert.deepEqual(await lint({ type: 'sigstoreSigned', keyPath: key('p256.pub') }), []);
    assert.deepEqual(await lint(pki('pki-root.pem')), []);
  });

  test('expired, empty, absent, of another kind', async () => {
    const [expired = '', none = ''] = await lint(gpg('gpg-expired.gpg'));
    assert.match(
      expired,
      /^policy\/expired .*gpg-expired\.gpg: the key [0-9A-F]{40} expired on \d{4}-\d\d-\d\d$/,
    );
    assert.match(none, /^trust\/key-unreadable .*none of its keys can sign/);
    assert.match((await lint(gpg('gpg-empty.gpg')))[0] ?? '', /no public key in it/);
    assert.match((await lint(gpg('p256.pub')))[0] ?? '', /no public key in it/);
    assert.match((await lint(gpg('absent.gpg')))[0] ?? '', /no such file or directory/);
    assert.match((await lint(pki('p256.pub')))[0] ?? '', /no certificate in it/);
    assert.match(
      (await lint({ type: 'sigstoreSigned', keyPath: key('gpg-ed.gpg') }))[0] ?? '',
      /PEM decoding failed/,
    );
  });

  test('certificates at another time', async () => {
    const path = file('time.json', { default: [pki('pki-root.pem')] });
    const at = async (now: Date): Promise<string[]> =>
      (await lintPolicyFile({ file: path, registriesDirectory: folder }, { now })).findings
        .filter(({ severity }) => severity !== 'note')
        .map(({ code }) => code);
    assert.deepEqual(await at(new Date('2200-01-01')), ['policy/expired']);
    assert.deepEqual(await at(new Date('1990-01-01')), ['policy/not-yet-valid']);
  });
});

describe('an image in a folder, under a name of its own', () => {
  const folderOf = (name: string): { readonly transport: 'dir'; readonly path: string } => ({
    transport: 'dir',
    path: vectorPath('policy', 'images', name),
  });

  test('a name by digest must be that of the image', async () => {
    const other = parseDockerReference(`quay.io/acme/os@sha256:${'0'.repeat(64)}`);
    await assert.rejects(openOffline(folderOf('app'), other), { code: 'trust/digest-mismatch', exit: 1 });
  });

  test('registries are no folders', async () => {
    const name = parseImageName('quay.io/acme/os');
    await assert.rejects(openOffline(name, parseDockerReference('quay.io/acme/os:1')), {
      code: 'verify/not-local',
    });
  });

  test('neither web nor registry can be reached through it', async () => {
    const source = await openOffline(folderOf('app'), parseDockerReference('quay.io/acme/os:1'));
    assert.ok(!('referrers' in source));
    assert.throws(() => source.web?.send({ method: 'GET', url: new URL('http://127.0.0.1:9/') }), {
      code: 'verify/offline',
    });
    await source.close();
  });
});
