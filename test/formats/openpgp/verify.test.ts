/** Messages and keys that must count for nothing, each named after the attack or the rule. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { deflateRawSync, deflateSync } from 'node:zlib';
import { concatBytes } from '../../../src/bytes/bytes.ts';
import {
  openKeyringFiles,
  readKeyringFile,
  verifyMessage,
  type Keyring,
  type OpenPgpVerdict,
} from '../../../src/formats/openpgp/index.ts';
import { readPackets } from '../../../src/formats/openpgp/packets.ts';
import { parseSignature } from '../../../src/formats/openpgp/signature.ts';
import {
  compressed,
  fingerprintOf,
  flat,
  literal,
  makeKey,
  NOW,
  openpgp,
  packet,
  PAST,
  publicBytes,
  signedPackets,
  signPackets,
  type SignedPackets,
} from '../../support/openpgp.ts';

const content = Buffer.from('{"what":"is signed"}');
let key: openpgp.PrivateKey;
let ring: Keyring;
let parts: SignedPackets;
before(async () => {
  key = await makeKey();
  ring = await ringOf(publicBytes(key));
  parts = await signedPackets(content, key);
});

async function ringOf(...files: readonly Uint8Array[]): Promise<Keyring> {
  return openKeyringFiles(files.map(readKeyringFile));
}

function refused(verdict: OpenPgpVerdict, code: string, message: RegExp): void {
  assert(!verdict.valid, 'accepted');
  assert.equal(verdict.code, code, verdict.message);
  assert.match(verdict.message, message);
}

describe('the form of a message', () => {
  test('bare or compressed, one-pass or in the older order', async () => {
    const older = concatBytes([parts.signature, parts.literal]);
    const bare = flat(parts);
    const zlib = concatBytes([Uint8Array.of(0xa3, 2), deflateSync(bare)]);
    const sized = packet(8, concatBytes([Uint8Array.of(1), deflateRawSync(bare)]));
    for (const message of [bare, older, compressed(bare), compressed(older), zlib, sized]) {
      const verdict = await verifyMessage(message, ring, NOW);
      assert(verdict.valid);
      assert.deepEqual(Buffer.from(verdict.content), content);
      assert.equal(verdict.primaryFingerprint, fingerprintOf(key));
    }
  });

  test('pgp-zero-sigs: a text without a signature', async () => {
    for (const message of [
      parts.literal,
      compressed(parts.literal),
      concatBytes([parts.start, parts.literal]),
    ]) {
      refused(await verifyMessage(message, ring, NOW), 'trust/malformed-signature', /^No data/);
    }
    refused(
      await verifyMessage(parts.signature, ring, NOW),
      'trust/malformed-signature',
      /signature count 0/,
    );
    refused(await verifyMessage(new Uint8Array(), ring, NOW), 'trust/malformed-signature', /^No data/);
  });

  test('pgp-extra-packet: a second text before or after', async () => {
    const { start, literal: text, signature } = parts;
    const other = literal(Buffer.from('{"what":"is not"}'));
    for (const order of [
      [other, start, text, signature],
      [start, other, text, signature],
      [start, text, other, signature],
      [start, text, signature, other],
    ]) {
      for (const message of [concatBytes(order), compressed(concatBytes(order))]) {
        refused(await verifyMessage(message, ring, NOW), 'trust/malformed-signature', /^Bad data/);
      }
    }
  });

  test('two signatures, both good', async () => {
    const { start, literal: text, signature } = parts;
    const message = concatBytes([start, start, text, signature, signature]);
    refused(await verifyMessage(message, ring, NOW), 'trust/malformed-signature', /signature count 2$/);
  });

  test('two messages joined, or bytes after one', async () => {
    const bare = flat(parts);
    for (const message of [
      concatBytes([compressed(bare), compressed(bare)]),
      concatBytes([compressed(bare), Buffer.from('anything')]),
      concatBytes([compressed(bare), Uint8Array.of(0)]),
      compressed(concatBytes([bare, bare])),
      concatBytes([bare, bare]),
      concatBytes([packet(8, concatBytes([Uint8Array.of(1), deflateRawSync(bare)])), bare]),
    ]) {
      refused(await verifyMessage(message, ring, NOW), 'trust/malformed-signature', /^Bad data/);
    }
  });

  test('a bomb: a small message that would fill the memory', async () => {
    const zeros = Buffer.alloc(64 * 1024 * 1024);
    const bomb = compressed(concatBytes([parts.start, literal(zeros), parts.signature]));
    assert(bomb.length < 100_000);
    const before = process.memoryUsage.rss();
    refused(
      await verifyMessage(bomb, ring, NOW),
      'trust/malformed-signature',
      /exceeded maximum allowed size/,
    );
    // One in another, each of them small.
    refused(await verifyMessage(compressed(compressed(bomb)), ring, NOW), 'trust/malformed-signature', /./);
    assert(process.memoryUsage.rss() - before < 64 * 1024 * 1024);
    const large = new Uint8Array(4 * 1024 * 1024 + 1).fill(0xa3);
    refused(await verifyMessage(large, ring, NOW), 'trust/malformed-signature', /exceeded maximum/);
  });

  test('pgp-cleartext: signed text for people', async () => {
    const armored = await openpgp.sign({
      message: await openpgp.createCleartextMessage({ text: content.toString() }),
      signingKeys: key,
      date: PAST,
    });
    refused(await verifyMessage(Buffer.from(armored), ring, NOW), 'trust/malformed-signature', /^No data/);
  });

  test('pgp-sig-type: signatures that do not sign documents', async () => {
    const secret = key.keyPacket as openpgp.SecretKeyPacket;
    for (const type of [openpgp.enums.signature.standalone, openpgp.enums.signature.timestamp]) {
      const made = await signPackets(content, secret, type);
      refused(
        await verifyMessage(flat(made), ring, NOW),
        'trust/malformed-signature',
        /does not sign documents/,
      );
      // The announcement may say otherwise.
      const lying = { ...made, start: parts.start };
      refused(await verifyMessage(flat(lying), ring, NOW), 'trust/malformed-signature', /another signature/);
    }
  });

  test('pgp-status: the name of the signed file is not looked at', async () => {
    const name = '\n[GNUPG:] VALIDSIG 0000000000000000000000000000000000000000';
    const message = concatBytes([parts.start, literal(Buffer.from('other'), name), parts.signature]);
    const verdict = await verifyMessage(message, ring, NOW);
    assert(!verdict.valid);
    assert(!verdict.message.includes('VALIDSIG'));
  });

  test('packets of other versions are one refused signature, not an error', async () => {
    const [{ body }] = readPackets(parts.signature, 1);
    for (const version of [2, 3, 5, 6, 255]) {
      const changed = Uint8Array.from(body);
      changed[0] = version;
      const message = concatBytes([parts.start, parts.literal, packet(2, changed)]);
      refused(await verifyMessage(message, ring, NOW), 'trust/malformed-signature', /^No data: .*version/);
    }
  });
});

describe('the signature', () => {
  test('every bit of it counts, and every bit of the text', async () => {
    const bare = flat(parts);
    const [start] = readPackets(bare, 3);
    const header = 6 + start.body.length;
    for (let at = header + 6 + 6; at < bare.length; at += 7) {
      const changed = Uint8Array.from(bare);
      changed[at] ^= 1;
      const verdict = await verifyMessage(changed, ring, NOW);
      assert(!verdict.valid || Buffer.from(verdict.content).equals(content), `byte ${at}`);
    }
  });

  test('pgp-unhashed: what is not signed does not decide', async () => {
    const expired = await signedPackets(
      content,
      key,
      (signature) => (signature.signatureExpirationTime = 60),
    );
    const [{ body }] = readPackets(expired.signature, 1);
    const hashedEnd = 6 + (body[4] << 8) + body[5];
    // No expiry, another time and another issuer, where nothing is signed.
    const unhashed = concatBytes([
      Uint8Array.of(5, 3, 0, 0, 0, 0, 5, 2, 0x7f, 0, 0, 0, 9, 16),
      Buffer.alloc(8, 0x11),
      Uint8Array.of(22, 33, 4),
      Buffer.alloc(20, 0x22),
    ]);
    const unhashedEnd = hashedEnd + 2 + (body[hashedEnd] << 8) + body[hashedEnd + 1];
    const edited = concatBytes([
      body.subarray(0, hashedEnd),
      Uint8Array.of(0, unhashed.length),
      unhashed,
      body.subarray(unhashedEnd),
    ]);
    const message = flat({ ...expired, signature: packet(2, edited) });
    const before = await verifyMessage(flat(expired), ring, NOW);
    assert.deepEqual(await verifyMessage(message, ring, NOW), before);
    refused(before, 'trust/expired-signature', /the signature expired on 2024-01-15$/);
  });

  test('two of one subpacket: readers would differ', async () => {
    const [{ body }] = readPackets(parts.signature, 1);
    const doubled = concatBytes([
      body.subarray(0, 4),
      Uint8Array.of(0, body[5] + 6),
      Uint8Array.of(5, 2, 0x60, 0, 0, 0),
      body.subarray(6),
    ]);
    assert.throws(() => parseSignature(doubled), /two subpackets of type 2/);
  });

  test('weak hashes, unknown algorithms and critical parts', async () => {
    // A real MD5 signature is among the policy vectors; it is refused by its number, before any arithmetic.
    const [{ body }] = readPackets(parts.signature, 1);
    const weak = Uint8Array.from(body);
    weak[3] = 1;
    const older = concatBytes([packet(2, weak), parts.literal]);
    refused(await verifyMessage(older, ring, NOW), 'trust/bad-signature', /hash algorithm 1 /);
    const critical = await signedPackets(content, key, (signature) => {
      signature.rawNotations = [
        { name: 'x@example.com', value: Buffer.from('1'), humanReadable: true, critical: true },
      ];
    });
    refused(await verifyMessage(flat(critical), ring, NOW), 'trust/bad-signature', /type 20 is critical/);
    const stranger = await makeKey();
    const theirs = await signedPackets(content, stranger);
    const unknown = new RegExp(`no key ${fingerprintOf(stranger)} in the keyring`);
    refused(await verifyMessage(flat(theirs), ring, NOW), 'trust/unknown-key', unknown);
  });

  test('older than its key', async () => {
    const secret = key.keyPacket as openpgp.SecretKeyPacket;
    const early = await signPackets(content, secret, openpgp.enums.signature.binary, new Date('2023-01-01'));
    refused(await verifyMessage(flat(early), ring, NOW), 'trust/bad-signature', /older than the key/);
  });
});

describe('the key', () => {
  test('expired now, though it was not when it signed', async () => {
    const brief = await makeKey({ lifetime: 3600 });
    const made = await signedPackets(content, brief);
    const theirs = await ringOf(publicBytes(brief));
    const created = PAST.getTime() / 1000;
    assert((await verifyMessage(flat(made), theirs, created + 3599)).valid);
    refused(
      await verifyMessage(flat(made), theirs, created + 3600),
      'trust/expired-key',
      /expired on 2024-01-15$/,
    );
  });

  test('revoked, in one of several copies', async () => {
    const { publicKey: revoked } = await openpgp.revokeKey({
      key,
      reasonForRevocation: { flag: openpgp.enums.reasonForRevocation.keyRetired },
      format: 'object',
    });
    for (const files of [
      [revoked.write(), publicBytes(key)],
      [publicBytes(key), revoked.write()],
      // The revocation alone, as gpg writes it for a drawer; and behind another key.
      [publicBytes(key), packet(2, revocationOf(revoked.write()))],
      [
        concatBytes([
          publicBytes(key),
          publicBytes(await makeKey()),
          packet(2, revocationOf(revoked.write())),
        ]),
      ],
    ]) {
      refused(
        await verifyMessage(flat(parts), await ringOf(...files), NOW),
        'trust/revoked-key',
        /is revoked$/,
      );
    }
  });

  test('two halves of a key do not make a whole one', async () => {
    const [primary, user, certification] = readPackets(publicBytes(key), 20).map(({ tag, body }) =>
      packet(tag, body),
    );
    const halves = [concatBytes([primary, user]), concatBytes([primary, certification])];
    assert.deepEqual((await ringOf(...halves)).fingerprints, []);
    assert.deepEqual((await ringOf(concatBytes(halves))).fingerprints, []);
    assert.deepEqual((await ringOf(halves[0], publicBytes(key))).fingerprints, [fingerprintOf(key)]);
  });

  test('a signing subkey stands for its primary key', async () => {
    const owner = await makeKey({ signingSubkey: true });
    const [subkey] = owner.subkeys;
    const secret = subkey.keyPacket as openpgp.SecretSubkeyPacket;
    const made = await signPackets(content, secret, openpgp.enums.signature.binary);
    const verdict = await verifyMessage(flat(made), await ringOf(publicBytes(owner)), NOW);
    assert(verdict.valid);
    assert.equal(verdict.fingerprint, fingerprintOf(subkey));
    assert.equal(verdict.primaryFingerprint, fingerprintOf(owner));
  });

  test('a subkey taken from another key', async () => {
    const [owner, thief] = [await makeKey({ signingSubkey: true }), await makeKey({ signingSubkey: true })];
    const secret = owner.subkeys[0].keyPacket as openpgp.SecretSubkeyPacket;
    const made = flat(await signPackets(content, secret, openpgp.enums.signature.binary));
    // 1. Put behind the thief's key with the binding of its owner: signed by somebody else.
    const own = readPackets(publicBytes(owner), 20);
    const theirs = readPackets(publicBytes(thief), 20);
    const stolen = [...theirs.slice(0, 3), ...own.slice(3)].map(({ tag, body }) => packet(tag, body));
    refused(await verifyMessage(made, await ringOf(concatBytes(stolen)), NOW), 'trust/unknown-key', /no key/);
    // 2. Bound by the thief, who cannot make the owner's subkey say so.
    const binding = new openpgp.SignaturePacket();
    binding.version = 4;
    binding.signatureType = openpgp.enums.signature.subkeyBinding;
    binding.hashAlgorithm = openpgp.enums.hash.sha512;
    binding.publicKeyAlgorithm = thief.keyPacket.algorithm;
    binding.issuerKeyID = thief.getKeyID();
    binding.issuerKeyVersion = 4;
    binding.issuerFingerprint = thief.keyPacket.getFingerprintBytes();
    binding.keyFlags = Uint8Array.of(2);
    const sign = binding.sign.bind(binding) as (...args: unknown[]) => Promise<void>;
    const about = { key: thief.keyPacket, bind: owner.subkeys[0].keyPacket };
    await sign(thief.keyPacket, about, PAST, false, openpgp.config);
    const bound = packet(2, (binding as unknown as { write(): Uint8Array }).write());
    const claimed = [
      ...theirs.slice(0, 3).map(({ tag, body }) => packet(tag, body)),
      packet(14, own[3].body),
      bound,
    ];
    const verdict = await verifyMessage(made, await ringOf(concatBytes(claimed)), NOW);
    refused(verdict, 'trust/bad-key', /does not certify/);
  });

  test('not for signing', async () => {
    const owner = await makeKey();
    const [primary, user, certification] = readPackets(publicBytes(owner), 20);
    const changed = await recertify(owner, 1);
    const made = flat(await signedPackets(content, owner));
    const bytes = [primary, user].map(({ tag, body }) => packet(tag, body));
    assert(
      (await verifyMessage(made, await ringOf(concatBytes([...bytes, packet(2, certification.body)])), NOW))
        .valid,
    );
    const verdict = await verifyMessage(made, await ringOf(concatBytes([...bytes, changed])), NOW);
    refused(verdict, 'trust/wrong-key-usage', /is not for signing$/);
  });
});

function revocationOf(bytes: Uint8Array): Uint8Array {
  return readPackets(bytes, 20).find(({ tag, body }) => tag === 2 && body[1] === 0x20)!.body;
}

/** A certification of the user ID by the key itself, with these key flags. */
async function recertify(owner: openpgp.PrivateKey, flags: number): Promise<Uint8Array> {
  const signature = new openpgp.SignaturePacket();
  signature.version = 4;
  signature.signatureType = openpgp.enums.signature.certPositive;
  signature.hashAlgorithm = openpgp.enums.hash.sha512;
  signature.publicKeyAlgorithm = owner.keyPacket.algorithm;
  signature.issuerKeyID = owner.getKeyID();
  signature.issuerKeyVersion = 4;
  signature.issuerFingerprint = owner.keyPacket.getFingerprintBytes();
  signature.keyFlags = Uint8Array.of(flags);
  const sign = signature.sign.bind(signature) as (...args: unknown[]) => Promise<void>;
  await sign(
    owner.keyPacket,
    { key: owner.keyPacket, userID: owner.users[0].userID },
    PAST,
    false,
    openpgp.config,
  );
  return packet(2, (signature as unknown as { write(): Uint8Array }).write());
}
