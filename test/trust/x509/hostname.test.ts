/** Host names and addresses, as Go's VerifyHostname takes them. */
import assert from 'node:assert/strict';
import { isIP, isIPv6 } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { checkHostname } from '../../../src/trust/x509/hostname.ts';
import { addressText, normalAddress, parseAddress } from '../../../src/trust/x509/ip-address.ts';
import { readPathCertificate } from '../../../src/trust/x509/path-certificate.ts';
import { alternativeNames, makeCertificate, type Names } from '../../support/x509-maker.ts';

function verdict(names: Names | undefined, hostname: string): string | undefined {
  const extensions = names === undefined ? [] : [alternativeNames(names)];
  const certificate = readPathCertificate(makeCertificate({ name: 'old.example.com', extensions }).der);
  try {
    checkHostname(certificate, hostname);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test('names that match', () => {
  const own: Names = { dns: ['build.example.com', '*.w.example.com', 'UPPER.example', '_a.b', 'not a name'] };
  for (const host of [
    'build.example.com',
    'BUILD.Example.com',
    'build.example.com.',
    'x.w.example.com',
    '*.w.example.com',
    'upper.example',
    '_a.b',
    'not a name',
  ]) {
    assert.equal(verdict(own, host), undefined, host);
  }
});

test('names that do not', () => {
  const own: Names = { dns: ['build.example.com', '*.w.example.com', '*'] };
  for (const host of [
    'x.example.com',
    'w.example.com',
    'a.b.w.example.com',
    'build.example.com..',
    '.example.com',
    '',
    '.',
    'anything',
    'build.example.com\0',
    'buıld.example.com',
  ]) {
    assert.match(verdict(own, host) ?? 'accepted', /^x509: certificate is valid for /, host);
  }
});

test('addresses are compared with addresses only', () => {
  const own: Names = {
    dns: ['10.0.0.2'],
    addresses: [Uint8Array.of(10, 0, 0, 1), Uint8Array.from([0xfe, 0x80, ...new Uint8Array(13), 1])],
  };
  for (const host of ['10.0.0.1', '[fe80::1]', 'FE80:0:0:0:0:0:0:1', '::ffff:10.0.0.1']) {
    assert.equal(verdict(own, host), undefined, host);
  }
  for (const host of ['10.0.0.2', 'fe80::2']) {
    assert.equal(verdict(own, host), `x509: certificate is valid for 10.0.0.1, fe80::1, not ${host}`);
  }
  assert.match(verdict({ dns: ['a'] }, '10.0.0.1') ?? '', /doesn't contain any IP SANs$/);
});

test('the common name is no name', () => {
  assert.match(verdict(undefined, 'old.example.com') ?? '', /relies on legacy Common Name field/);
  assert.match(verdict(undefined, 'x.example.com') ?? '', /not valid for any names, but wanted to match/);
  assert.match(verdict({ emails: ['a@b.c'] }, 'old.example.com') ?? '', /not valid for any names/);
});

test('many names make no long message', () => {
  const dns = Array.from({ length: 200 }, (_, at) => `h${at}.example.com`);
  assert.equal(
    verdict({ dns }, 'x.example.com'),
    'x509: certificate is valid for 200 names, but none matched x.example.com',
  );
});

test('property: an address is what the platform takes for one, except zones', () => {
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.stringMatching(/^[0-9a-f:.]{0,24}$/),
    fc.tuple(fc.ipV6(), fc.ipV4()).map(([six, four]) => `${six.slice(0, 12)}${four}`),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      const parsed = parseAddress(candidate);
      assert.equal(parsed !== undefined, isIP(candidate) !== 0, candidate);
      if (parsed === undefined) return;
      const shown = addressText(parsed);
      assert.deepEqual(parseAddress(shown), parsed);
      if (parsed.length === 16) assert(isIPv6(shown));
      assert.deepEqual(normalAddress(parsed), parsed);
    }),
    { numRuns: 2000 },
  );
  assert.equal(parseAddress('fe80::1%eth0'), undefined);
  assert.equal(parseAddress('010.0.0.1'), undefined);
});
