import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gatherParts } from '../../src/bytes/rope.ts';
import { signPe } from '../../src/formats/authenticode/sign.ts';
import { verifyPe } from '../../src/formats/authenticode/verify.ts';
import { parseSignatureLists } from '../../src/formats/siglist/signature-list.ts';
import { generateSecureBootKeys } from '../../src/sign/secureboot-keys.ts';
import { readCertificates } from '../../src/stores/keys/certificates.ts';
import { readSigningKey } from '../../src/stores/keys/signing-key.ts';
import { vectorFile } from '../support/uki-vectors.ts';

let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'bootseal-secureboot-'))));
after(() => rm(folder, { recursive: true, force: true }));

describe('key generate secureboot', () => {
  it('makes keys that sign boot programs', async () => {
    const directory = join(folder, 'new', 'keys');
    const result = await generateSecureBootKeys({
      directory,
      name: 'Acme',
      bits: 2048,
      clock: () => new Date('2026-05-06T07:08:09.5Z'),
    });
    assert.deepEqual((await readdir(directory)).toSorted(), result.files.toSorted());
    assert.deepEqual(
      result.keys.map(({ subject }) => subject),
      ['CN=Acme PK', 'CN=Acme KEK', 'CN=Acme db'],
    );
    assert.equal((await stat(join(directory, 'db.key'))).mode & 0o777, 0o600);
    assert.equal(await readFile(join(directory, 'GUID.txt'), 'utf8'), `${result.owner}\n`);
    const theirs = new X509Certificate(await readFile(join(directory, 'PK.crt')));
    assert.equal(Date.parse(theirs.validFrom), Date.parse('2026-05-06T07:08:09Z'));

    const certificates = await readCertificates(join(directory, 'db.crt'));
    assert.deepEqual(Buffer.from(certificates[0]), await readFile(join(directory, 'db.cer')));
    const signer = await readSigningKey(join(directory, 'db.key'));
    const signed = gatherParts(await signPe([vectorFile('s-uki.efi')], { certificates, signer }));
    assert.ok(verifyPe(signed, { anchors: certificates }).accepted);

    const [list] = parseSignatureLists(await readFile(join(directory, 'db.esl')));
    assert.equal(list?.entries[0]?.owner, result.owner);
    assert.deepEqual(Buffer.from(list.entries[0].data), Buffer.from(certificates[0]));
    // The list stands at the end of the signed write.
    const auth = await readFile(join(directory, 'db.auth'));
    assert.ok(auth.subarray(-list.entries[0].data.length).equals(Buffer.from(certificates[0])));
    assert.equal(auth.subarray(0, 7).toString('hex'), 'ea07050607080900'.slice(0, 14));
  });

  it('writes all files or none, and never over one that exists', async () => {
    const directory = join(folder, 'taken');
    await mkdir(directory);
    await writeFile(join(directory, 'KEK.auth'), 'mine');
    await assert.rejects(generateSecureBootKeys({ directory, name: 'Acme', bits: 2048 }), {
      code: 'key/exists',
      exit: 2,
    });
    assert.deepEqual(await readdir(directory), ['KEK.auth']);
    assert.equal(await readFile(join(directory, 'KEK.auth'), 'utf8'), 'mine');
    const blocked = join(folder, 'file');
    await writeFile(blocked, '');
    await assert.rejects(generateSecureBootKeys({ directory: blocked, name: 'Acme', bits: 2048 }), {
      code: 'file/cannot-write',
    });
  });

  it('sb-test-key: does not make keys that say not to trust them', async () => {
    const directory = join(folder, 'test-key');
    const request = { directory, name: 'DO NOT TRUST - Acme' };
    await assert.rejects(generateSecureBootKeys(request), { code: 'x509/test-key' });
    await assert.rejects(stat(directory));
  });
});
