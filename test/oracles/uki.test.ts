/** UKIs and boot signatures against ukify, sbverify, osslsigncode, efitools and virt-fw-vars. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gatherParts } from '../../src/bytes/rope.ts';
import { signPe } from '../../src/formats/authenticode/sign.ts';
import { signVariable } from '../../src/formats/authvar/auth.ts';
import { enrolKeys } from '../../src/formats/authvar/varstore.ts';
import { certificateLists, encodeSignatureLists } from '../../src/formats/siglist/signature-list.ts';
import { peer, peerOk } from '../support/peers.ts';
import { bootsealOk } from '../support/run-cli.ts';
import { testSigner } from '../support/signer.ts';
import { vectorCertificate, vectorFile, vectorPath } from '../support/uki-vectors.ts';

const STUBS = '/usr/lib/systemd/boot/efi';
const OWNER = '11111111-2222-3333-4444-123456789abc';

let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'bootseal-uki-oracle-'))));
after(() => rm(folder, { recursive: true, force: true }));

/** Exit status of this system's own program, which is older than the peer of the same name. */
function system(name: string, args: readonly string[]): number {
  const result = spawnSync(name, args, { stdio: 'ignore' });
  if (result.error) throw new Error(`${name} is missing: apt-get install sbsigntool`);
  return result.status ?? -1;
}

/** The stub as the newest systemd has it, copied out of the tree of the peers. */
async function stub(name: string): Promise<string> {
  const path = join(folder, name);
  peerOk('cp', [`${STUBS}/${name}`, path]);
  return path;
}

describe('ukify', () => {
  it('builds the same UKI from the newest stub', async () => {
    const files = {
      linux: vectorPath('k-x64-sbat.efi'),
      one: join(folder, 'one'),
      two: join(folder, 'two'),
      osrel: join(folder, 'osrel'),
    };
    await writeFile(files.one, Buffer.alloc(100_001, 1));
    await writeFile(files.two, Buffer.alloc(4096, 2));
    await writeFile(files.osrel, 'ID=acme\nNAME="Größe"\n');
    const args = [
      'build',
      `--stub=${await stub('linuxx64.efi.stub')}`,
      `--linux=${files.linux}`,
      `--initrd=${files.one}`,
      `--initrd=${files.two}`,
      `--os-release=@${files.osrel}`,
      '--cmdline=root=tmpfs  quiet',
      `--splash=${vectorPath('splash.bmp')}`,
      '--sbat=sbat,1,x\nacme,1,Acme,acme,7,https://example.invalid',
    ];
    const [ours, theirs] = [join(folder, 'ours.efi'), join(folder, 'theirs.efi')];
    await bootsealOk(['uki', ...args, `--output=${ours}`]);
    peerOk('ukify', [...args, `--output=${theirs}`]);
    assert.ok((await readFile(ours)).equals(await readFile(theirs)));
    const shown = await bootsealOk(['uki', 'inspect', ours]);
    assert.equal(shown.stdout, peerOk('ukify', ['inspect', ours]).stdout);
  });

  it('builds the same addon', async () => {
    const args = ['build', `--stub=${await stub('addonx64.efi.stub')}`, '--cmdline=debug', '--uname=6.1'];
    const [ours, theirs] = [join(folder, 'ours.addon.efi'), join(folder, 'theirs.addon.efi')];
    await bootsealOk(['uki', ...args, `--output=${ours}`]);
    peerOk('ukify', [...args, `--output=${theirs}`]);
    assert.ok((await readFile(ours)).equals(await readFile(theirs)));
  });
});

describe('sbverify and osslsigncode', () => {
  const tools = (certificate: string, file: string): Record<string, number> => {
    const sbverify = ['--cert', certificate, file];
    const osslsigncode = ['verify', '-CAfile', certificate, '-in', file];
    // Not osslsigncode 2.5 of Debian 12: it calls every signature but its own invalid, sbsign's too.
    return {
      'sbverify of Debian 12': system('sbverify', sbverify),
      sbverify: peer('sbverify', sbverify).status,
      osslsigncode: peer('osslsigncode', osslsigncode).status,
    };
  };

  it('accept what we sign, whatever the file', async () => {
    const inputs = [
      's-plain',
      's-tail5',
      's-tail4k',
      's-unsorted',
      's-unaligned',
      's-ia32',
      's-aa64',
      's-addon',
      's-uki',
      's-dirs5',
    ];
    for (const input of inputs) {
      const file = join(folder, `${input}.efi`);
      await writeFile(file, gatherParts(await signPe([vectorFile(`${input}.efi`)], testSigner())));
      for (const [tool, status] of Object.entries(tools(vectorPath('keys/rsa2048.pem'), file))) {
        assert.equal(status, 0, `${tool}: ${input}`);
      }
    }
  });

  it('accept keys of all sizes, chains, and a signing time', async () => {
    const cases: [string, string, readonly string[], Date?][] = [
      ['rsa3072', 'rsa3072', []],
      ['rsa4096', 'rsa4096', [], new Date('2030-01-01T00:00:00Z')],
      ['leaf', 'root', ['inter']],
    ];
    for (const [key, anchor, intermediates, signingTime] of cases) {
      const file = join(folder, `${key}.efi`);
      const options = {
        ...testSigner(key, ...intermediates),
        ...(signingTime === undefined ? {} : { signingTime }),
      };
      await writeFile(file, gatherParts(await signPe([vectorFile('s-uki.efi')], options)));
      for (const [tool, status] of Object.entries(tools(vectorPath(`keys/${anchor}.pem`), file))) {
        assert.equal(status, 0, `${tool}: ${key}`);
      }
    }
  });

  it('accept a second signature, and refuse a changed file', async () => {
    const once = await signPe([vectorFile('s-uki.efi')], testSigner());
    const twice = gatherParts(await signPe(once, testSigner('rsa3072')));
    const file = join(folder, 'twice.efi');
    await writeFile(file, twice);
    for (const name of ['rsa2048', 'rsa3072']) {
      assert.equal(peer('sbverify', ['--cert', vectorPath(`keys/${name}.pem`), file]).status, 0, name);
    }
    twice[0x1800] ^= 1;
    await writeFile(file, twice);
    for (const [tool, status] of Object.entries(tools(vectorPath('keys/rsa2048.pem'), file)))
      assert.notEqual(status, 0, tool);
  });

  it('are accepted: what sbsign signs, uki verify takes', async () => {
    const [input, output] = [vectorPath('s-uki.efi'), join(folder, 'sbsign.efi')];
    const key = ['--key', vectorPath('keys/rsa2048.key'), '--cert', vectorPath('keys/rsa2048.pem')];
    peerOk('sbsign', [...key, '--output', output, input]);
    await bootsealOk(['uki', 'verify', '--cert', vectorPath('keys/rsa2048.pem'), output]);
  });
});

describe('efitools and virt-fw-vars', () => {
  it('write the same lists and the same signed updates', async () => {
    const [list, auth] = [join(folder, 'db.esl'), join(folder, 'db.auth')];
    peerOk('cert-to-efi-sig-list', ['-g', OWNER, vectorPath('keys/rsa4096.pem'), list]);
    const ours = encodeSignatureLists(certificateLists(OWNER, [vectorCertificate('rsa4096')]));
    assert.ok((await readFile(list)).equals(ours));
    const kek = ['-k', vectorPath('keys/kek.key'), '-c', vectorPath('keys/kek.pem')];
    peerOk('sign-efi-sig-list', ['-t', '2026-05-06 07:08:09', ...kek, 'db', list, auth]);
    const update = { name: 'db' as const, contents: ours, time: new Date('2026-05-06T07:08:09Z') };
    const signed = await signVariable(update, vectorCertificate('kek'), testSigner('kek').signer);
    assert.ok((await readFile(auth)).equals(signed));
  });

  it('read the keys that we enrol in the variables of OVMF', async () => {
    const template = await readFile('/usr/share/OVMF/OVMF_VARS_4M.fd').catch(() => {
      throw new Error('the firmware is missing: apt-get install ovmf');
    });
    const keys = {
      owner: OWNER,
      PK: vectorCertificate('pk'),
      KEK: [vectorCertificate('kek')],
      db: ['rsa2048', 'rsa3072'].map(vectorCertificate),
    };
    const [ours, theirs] = [join(folder, 'ours.fd'), join(folder, 'theirs.fd')];
    await writeFile(ours, enrolKeys(template, keys));
    const add = (option: string, name: string) => [option, OWNER, vectorPath(`keys/${name}.pem`)];
    const all = [
      ...add('--set-pk', 'pk'),
      ...add('--add-kek', 'kek'),
      ...add('--add-db', 'rsa2048'),
      ...add('--add-db', 'rsa3072'),
    ];
    await writeFile(join(folder, 'template.fd'), template);
    peerOk('virt-fw-vars', ['-i', join(folder, 'template.fd'), '-o', theirs, ...all, '--sb']);
    assert.ok((await readFile(ours)).equals(await readFile(theirs)));
  });
});
