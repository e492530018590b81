import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { gatherParts } from '../../../src/bytes/rope.ts';
import { signPe } from '../../../src/formats/authenticode/sign.ts';
import { readCertificateTable } from '../../../src/formats/authenticode/table.ts';
import { verifyPe } from '../../../src/formats/authenticode/verify.ts';
import { OID } from '../../../src/formats/der/oid.ts';
import { encodeAttribute, readSignedData } from '../../../src/formats/pkcs7/signed-data.ts';
import { readPe } from '../../../src/formats/pe/reader.ts';
import { testSigner } from '../../support/signer.ts';
import {
  materialise,
  readCases,
  vectorCertificate,
  vectorFile,
  type FileSpec,
} from '../../support/uki-vectors.ts';

interface SignCase {
  readonly name: string;
  readonly input: FileSpec;
  readonly steps: readonly { readonly argv: readonly string[]; readonly exit: number }[];
  readonly outputs?: Readonly<
    Record<
      string,
      {
        readonly authenticodeSha256?: string;
        readonly file?: string;
        readonly certificateTable?: readonly [number, number];
      }
    >
  >;
}

/** Files that the tools sign although they disagree on the hash, or although the result cannot be read. */
const REFUSED: Readonly<Record<string, string>> = {
  's-bss.efi': 'pe/gap',
  's-soh-small.efi': 'pe/gap',
  's-dirs4.efi': 'pe/no-security-directory',
  's-text.bin': 'pe/not-pe',
  's-again-trailing.efi': 'authenticode/trailing-data',
  's-again-sizeshort.efi': 'authenticode/trailing-data',
  's-again-sizelong.efi': 'authenticode/bad-table',
  's-again-dwlong.efi': 'authenticode/bad-table',
  's-again-dwzero.efi': 'authenticode/bad-table',
  's-again-beyond.efi': 'authenticode/bad-table',
  's-again-cut.efi': 'authenticode/bad-table',
  's-again-inbody.efi': 'pe/overlap',
  'bad-signed.efi': 'authenticode/bad-table',
  'bad-secdir-only.efi': 'pe/overlap',
};

const key = testSigner();
const sign = async (bytes: Uint8Array, options = key): Promise<Uint8Array> =>
  gatherParts(await signPe([bytes], options));

describe('signing the inputs of the sign vectors', () => {
  const inputs = new Map(readCases<SignCase>('sign').map((entry) => [JSON.stringify(entry.input), entry]));
  for (const entry of inputs.values()) {
    const name = 'file' in entry.input ? entry.input.file : entry.name;
    const refusal = REFUSED[name] ?? (name.startsWith('bad-') ? 'pe/' : undefined);
    const bytes = materialise(entry.input)!;
    if (refusal !== undefined) {
      it(`refuses ${name}`, async () => {
        await assert.rejects(sign(bytes), (error: { code: string }) => error.code.startsWith(refusal));
      });
      continue;
    }
    it(`signs ${name}`, async () => {
      const signed = await sign(bytes);
      const [before, after] = [readPe(bytes), readPe(signed)];
      const verdict = verifyPe(signed, { anchors: key.certificates });
      assert.deepEqual(verdict.reasons, []);
      assert.deepEqual(verdict.warnings, [], 'CheckSum is that of the signed file');
      // Everything up to the table is as before, but for the two holes.
      const restored = Uint8Array.from(signed.subarray(0, before.fileSize));
      restored.set(bytes.subarray(before.checkSumOffset, before.checkSumOffset + 4), before.checkSumOffset);
      restored.set(
        bytes.subarray(before.securityEntryOffset, before.securityEntryOffset! + 8),
        before.securityEntryOffset,
      );
      assert.deepEqual(Buffer.from(restored), Buffer.from(bytes));
      assert.equal(after.certificateTable.offset + after.certificateTable.size, signed.length);
      assert.equal(after.certificateTable.offset % 8, 0);
    });
  }
});

describe('with the attributes of other signers', () => {
  /** `--key keys/NAME.key` and the like; the programs of the vectors ran at this time. */
  const TIME = new Date(1_700_000_000_000);
  const KNOWN = new Set<string>([OID.contentType, OID.messageDigest, OID.signingTime]);
  const named = (argv: readonly string[], pattern: RegExp) =>
    [...argv.join(' ').matchAll(pattern)].map(([, name = '']) => name);

  /** What they add of their own: S/MIME capabilities, which mean nothing to firmware. */
  function furtherAttributes(signed: Uint8Array): Uint8Array[] {
    const entry = readCertificateTable([signed], readPe(signed)).at(-1)!;
    return readSignedData(entry.pkcs7)
      .signer.attributes!.filter(({ type }) => !KNOWN.has(type))
      .map(({ type, values }) => encodeAttribute(type, values[0].encoded));
  }

  let compared = 0;
  for (const entry of readCases<SignCase>('sign')) {
    const output = entry.outputs?.['out.efi'];
    const byBoth = entry.steps.every(
      ({ argv, exit }) => exit === 0 && /^(systemd-)?sbsign$/.test(argv[0] ?? ''),
    );
    const refused =
      'file' in entry.input && (entry.input.file in REFUSED || entry.input.file.startsWith('bad-'));
    // systemd-sbsign leaves the padding of an odd last section out of the hash, and signs with a wrong key.
    const wrong = ['unaligned-systemd-sbsign', 'mismatch-systemd-sbsign'].includes(entry.name);
    if (!byBoth || refused || wrong || output?.file === undefined) continue;
    compared += 1;
    it(`writes the same file: ${entry.name}`, async () => {
      const theirs = vectorFile(output.file!);
      let ours = materialise(entry.input)!;
      for (const { argv } of entry.steps) {
        const [name = ''] = named(argv, /key[= ]keys\/(\w+)\.key/g);
        const options = testSigner(name, ...named(argv, /--addcert keys\/(\w+)\.pem/g));
        const signingTime = entry.name.startsWith('epoch0') ? new Date(0) : TIME;
        ours = gatherParts(
          await signPe([ours], { ...options, signingTime, attributes: furtherAttributes(theirs) }),
        );
      }
      assert.ok(Buffer.from(ours).equals(theirs));
    });
  }
  it('was compared with both', () => assert.ok(compared > 15, `${compared} files`));
});

describe('the image hash', () => {
  it('is the one that sbsign, osslsigncode, pesign and systemd-sbsign sign', () => {
    let compared = 0;
    for (const entry of readCases<SignCase>('sign')) {
      const output = entry.outputs?.['out.efi'];
      if (output?.file === undefined || output.authenticodeSha256 === undefined) continue;
      // pesign -h, which made these hashes, counts the padding of an odd last section twice.
      if (entry.name.startsWith('unaligned')) continue;
      const verdict = verifyPe(vectorFile(output.file), { anchors: [] });
      if (verdict.authenticodeSha256 === undefined) continue;
      assert.equal(verdict.authenticodeSha256, output.authenticodeSha256, entry.name);
      compared += 1;
    }
    assert.ok(compared > 50, `${compared} files compared`);
  });

  it('pe-ranges: changes with any byte outside the holes, and only then', () => {
    const bytes = vectorFile('s-tail5.efi');
    const pe = readPe(bytes);
    const hash = (file: Uint8Array) => verifyPe(file, { anchors: [] }).authenticodeSha256;
    const original = hash(bytes);
    const isHole = (offset: number) =>
      (offset >= pe.checkSumOffset && offset < pe.checkSumOffset + 4) ||
      (offset >= pe.securityEntryOffset! && offset < pe.securityEntryOffset! + 8);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (offset, flip) => {
        const changed = Uint8Array.from(bytes);
        changed[offset] ^= flip;
        const now = hash(changed);
        // A changed directory entry makes the table unreadable; CheckSum alone leaves the hash as it was.
        if (!isHole(offset)) assert.notEqual(now, original, `offset ${offset}`);
        else if (offset < pe.securityEntryOffset!) assert.equal(now, original);
        else assert.equal(now, undefined);
      }),
      { numRuns: 1500 },
    );
  });

  it('pe-padding: is the same before and after signing, for every length modulo 8', async () => {
    for (let extra = 0; extra < 16; extra += 1) {
      const bytes = Buffer.concat([vectorFile('s-plain.efi'), Buffer.alloc(extra, 0x5a)]);
      const before = verifyPe(bytes, { anchors: [] }).authenticodeSha256;
      const after = verifyPe(await sign(bytes), { anchors: key.certificates });
      assert.ok(after.accepted);
      assert.equal(after.authenticodeSha256, before, `${extra} bytes more`);
    }
  });
});

describe('signPe', () => {
  const uki = vectorFile('s-uki.efi');

  it('is reproducible, and does not depend on how the file is cut', async () => {
    const once = await sign(uki);
    const pieces = [uki.subarray(0, 70), uki.subarray(70, 71), new Uint8Array(0), uki.subarray(71)];
    const again = gatherParts(await signPe(pieces, key));
    assert.deepEqual(Buffer.from(again), Buffer.from(once));
  });

  it('leaves its input alone and copies none of the body', async () => {
    const copy = Uint8Array.from(uki);
    const parts = await signPe([uki], key);
    assert.deepEqual(uki, copy);
    assert.ok(parts.some((part) => part.buffer === uki.buffer && part.length > 0x2000));
  });

  it('appends to the signatures that are there', async () => {
    const second = testSigner('rsa3072');
    const twice = await sign(await sign(uki), second);
    const entries = readCertificateTable([twice], readPe(twice));
    assert.equal(entries.length, 2);
    for (const name of ['rsa2048', 'rsa3072']) {
      const verdict = verifyPe(twice, { anchors: [vectorCertificate(name)] });
      assert.ok(verdict.accepted, name);
      assert.deepEqual(
        verdict.signatures.map(({ accepted }) => accepted),
        [name === 'rsa2048', name === 'rsa3072'],
      );
    }
  });

  it('embeds intermediates, so that the root is enough', async () => {
    const signed = await sign(uki, testSigner('leaf', 'inter'));
    const verdict = verifyPe(signed, { anchors: [vectorCertificate('root')] });
    assert.ok(verdict.accepted);
    assert.deepEqual(
      verdict.signatures[0]?.chain.map((name) => name.split(',')[0]),
      ['CN=TEST leaf', 'CN=TEST inter', 'CN=TEST root'],
    );
  });

  it('writes a signing time when asked, as GeneralizedTime from 2050 on', async () => {
    for (const [time, tag] of [
      ['2030-01-02T03:04:05Z', 'UTC'],
      ['2052-05-22T02:13:20Z', 'Generalized'],
    ] as const) {
      const signed = gatherParts(await signPe([uki], { ...key, signingTime: new Date(time) }));
      assert.ok(verifyPe(signed, { anchors: key.certificates }).accepted);
      const digits = time.replaceAll(/[-:T]/g, '');
      const text = tag === 'UTC' ? `\x17\x0d${digits.slice(2)}` : `\x18\x0f${digits}`;
      assert.ok(Buffer.from(signed).includes(Buffer.from(text, 'latin1')), time);
    }
  });

  it("refuses keys that are not the certificate's, and certificates that firmware would deny", async () => {
    const { signer } = testSigner('rsa3072');
    await assert.rejects(sign(uki, { ...key, signer }), { code: 'authenticode/key-mismatch', exit: 2 });
    // A token that does not tell its public key: found out by its signature.
    const silent = { sign: (data: Uint8Array) => signer.sign(data) };
    await assert.rejects(sign(uki, { ...key, signer: silent }), { code: 'authenticode/key-mismatch' });
    await assert.rejects(sign(uki, { ...key, certificates: [vectorCertificate('ec')] }), {
      code: 'authenticode/unsupported-key',
    });
    await assert.rejects(sign(uki, testSigner('inter')), { code: 'authenticode/key-usage' });
    await assert.rejects(sign(uki, { ...key, certificates: [] }), { code: 'authenticode/no-certificate' });
  });
});
