/** verify against a registry that misbehaves, and against images that carry hostile text. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { printOutcome } from '../../src/cli/render/outcome.ts';
import { createContext } from '../../src/cli/context.ts';
import { isBootsealError } from '../../src/errors.ts';
import { attachmentTag, buildAttachment, layerOfSignature } from '../../src/formats/cosign/attachment.ts';
import { encodePayload } from '../../src/formats/cosign/payload.ts';
import {
  encodeStoredSignature,
  SIGNATURE_ANNOTATION,
  type SigstoreSignature,
} from '../../src/formats/cosign/signature.ts';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { sign } from 'node:crypto';
import { verifyImage, type VerifyResult } from '../../src/verify/verify.ts';
import { prepareAdmit } from '../../src/verify/admit.ts';
import { openSource } from '../../src/stores/open.ts';
import { signManifest } from '../../src/sign/sign-manifest.ts';
import { dockerName, makeWorkshop } from '../support/signing.ts';

const workshop = makeWorkshop();
const key = await workshop.makeKey('key', '');
after(() => workshop.remove());

const config = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}');
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf(config), size: config.length },
    layers: [],
  }),
);
const digest = digestOf(manifest);

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Fake {
  readonly host: string;
  readonly requests: string[];
}

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** A registry that has one image, and answers for its attachment as it is told. */
async function fakeRegistry(attachment: Answer): Promise<Fake> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { url = '' } = request;
    requests.push(url);
    if (url === '/v2/') response.end('{}');
    else if (url.endsWith('/manifests/v1')) reply(response, manifest, MEDIA_TYPES.ociManifest);
    else attachment(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

function reply(response: ServerResponse, body: Uint8Array, type: string): void {
  response.setHeader('content-type', type);
  response.end(body);
}

function request(host: string): Parameters<typeof verifyImage>[0] {
  return {
    image: dockerName(`${host}/acme/app:v1`),
    policyFile: workshop.policy({ [host]: [{ type: 'sigstoreSigned', keyPath: key.publicFile }] }),
    registriesDirectory: workshop.registries(host),
  };
}

const FAST = { retry: { attempts: 1 } };

function verify(host: string): Promise<VerifyResult> {
  return verifyImage(request(host), { transport: FAST });
}

function serving(built: ReturnType<typeof buildAttachment>, blobs: readonly Uint8Array[]): Answer {
  return ({ url = '' }, response) => {
    if (url.endsWith(attachmentTag(digest))) return reply(response, built.manifest, MEDIA_TYPES.ociManifest);
    const blob = blobs.find((bytes) => url.endsWith(digestOf(bytes)));
    if (blob !== undefined) return reply(response, blob, 'application/octet-stream');
    response.statusCode = 404;
    response.end();
    return undefined;
  };
}

function signed(host: string, payload?: Uint8Array): SigstoreSignature {
  const good = signManifest(digest, dockerName(`${host}/acme/app:v1`).reference, key.key);
  if (payload === undefined) return good;
  const annotation = sign('sha256', payload, key.key.key).toString('base64');
  return { ...good, payload, annotations: new Map([[SIGNATURE_ANNOTATION, annotation]]) };
}

test('404 is unsigned; trouble in asking is no verdict', async () => {
  const absent = await fakeRegistry((_request, response) => {
    response.statusCode = 404;
    response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
  });
  const result = await verify(absent.host);
  assert.equal(result.reasonCode, 'trust/no-signature');
  // The tag was asked for once, and the attachment by the digest of those bytes.
  assert.equal(absent.requests.filter((url) => url.endsWith('/manifests/v1')).length, 1);
  for (const status of [401, 403, 500, 503]) {
    const failing = await fakeRegistry((_request, response) => {
      response.statusCode = status;
      response.end('<html>no</html>');
    });
    await assert.rejects(
      verify(failing.host),
      (error) => isBootsealError(error) && error.exit === 3,
      String(status),
    );
  }
  const cut = await fakeRegistry((incoming) => incoming.socket.destroy());
  await assert.rejects(verify(cut.host), (error) => isBootsealError(error) && error.exit === 3);
});

test('an attachment that is none, or not what its digest says, is not accepted', async () => {
  const html = await fakeRegistry((_request, response) =>
    reply(response, Buffer.from('<html>'), 'text/html'),
  );
  await assertNotAccepted(html.host);
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] }),
  );
  const list = await fakeRegistry((_request, response) => reply(response, index, MEDIA_TYPES.ociIndex));
  const refused = await verify(list.host);
  assert.equal(refused.reasonCode, 'trust/malformed-signature');
  assert.match(refused.message ?? '', /unexpected MIME type for sigstore attachment manifest/);
  const swapped = await fakeRegistry((incoming, response) => {
    const good = signed(swapped.host);
    serving(buildAttachment([layerOfSignature(good)]), [])(incoming, response);
  });
  await assertNotAccepted(swapped.host);
});

async function assertNotAccepted(host: string): Promise<void> {
  try {
    const result = await verify(host);
    assert.equal(result.allowed, false);
  } catch (error) {
    assert(isBootsealError(error), String(error));
  }
}

test('one bad signature beside a good one does not refuse', async () => {
  const server: Fake = await fakeRegistry((incoming, response) => {
    const good = signed(server.host);
    const bad = { ...good, annotations: new Map([[SIGNATURE_ANNOTATION, 'AAAA']]) };
    const none = { ...good, annotations: new Map<string, string>() };
    const layers = [bad, none, good].map(layerOfSignature);
    serving(buildAttachment(layers), [good.payload])(incoming, response);
  });
  const result = await verify(server.host);
  assert(result.allowed, result.message);
  assert.deepEqual(
    result.verdict.requirements[0].signatures.map(({ accepted, code }) => code ?? accepted),
    ['trust/bad-signature', 'trust/malformed-signature', true],
  );
});

test('a payload is read only after its signature, and strictly', async () => {
  const payload = encodePayload({ manifestDigest: digest, dockerReference: 'PLACE' });
  const text = Buffer.from(payload).toString();
  const doubled = text.replace('"optional":{}', '"optional":{},"optional":null');
  const server: Fake = await fakeRegistry((incoming, response) => {
    const bytes = Buffer.from(doubled.replace('PLACE', `${server.host}/acme/app:v1`));
    serving(buildAttachment([layerOfSignature(signed(server.host, bytes))]), [bytes])(incoming, response);
  });
  const result = await verify(server.host);
  assert.equal(result.reasonCode, 'trust/malformed-payload');
  assert.match(result.message ?? '', /Duplicate key "optional"/);
});

test('control characters in a signed name do not reach the terminal', async () => {
  const name = 'quay.io/a:\u001b]0;owned\u0007\u001b[2J\n✓ accepted\u202e';
  const bytes = encodePayload({ manifestDigest: digest, dockerReference: name });
  const server: Fake = await fakeRegistry((incoming, response) => {
    serving(buildAttachment([layerOfSignature(signed(server.host, bytes))]), [bytes])(incoming, response);
  });
  const result = await verify(server.host);
  assert.equal(result.reasonCode, 'trust/identity-mismatch');
  let output = '';
  const out = {
    stdout: (text: string) => void (output += text),
    stderr: (text: string) => void (output += text),
  };
  const flags = { json: false, quiet: false, verbose: true, noColor: true };
  const { context } = createContext(flags, new AbortController().signal, out);
  const reason = result.message ?? '';
  printOutcome(
    { ok: false, verdict: { word: 'refused', subject: 'x', reason }, steps: result.steps },
    context,
    out,
  );
  // oxlint-disable-next-line no-control-regex
  assert(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/.test(output), JSON.stringify(output));
  assert(!/^✓ accepted/m.test(output));
});

test('10,000 signatures end quickly, whether attached or beside the image', async () => {
  const server: Fake = await fakeRegistry((incoming, response) => {
    const good = layerOfSignature(signed(server.host));
    const layers = Array.from({ length: 10_000 }, (_, at) => ({ ...good, annotations: { n: String(at) } }));
    const body = Buffer.from(
      JSON.stringify({ schemaVersion: 2, config: { ...good, mediaType: MEDIA_TYPES.ociConfig }, layers }),
    );
    if (incoming.url?.endsWith('.sig') === true) reply(response, body, MEDIA_TYPES.ociManifest);
    else response.destroy();
  });
  const started = performance.now();
  assert.equal((await verify(server.host)).reasonCode, 'trust/malformed-signature');
  assert(performance.now() - started < 5000);
  assert(server.requests.length < 10);

  const folder = workshop.path('many');
  mkdirSync(folder);
  writeFileSync(`${folder}/version`, 'Directory Transport Version: 1.1\n');
  writeFileSync(`${folder}/manifest.json`, manifest);
  const stored = encodeStoredSignature(signed('quay.io'));
  for (let number = 1; number <= 1500; number++) writeFileSync(`${folder}/signature-${number}`, stored);
  const policyFile = workshop.path('dir.json');
  writeFileSync(
    policyFile,
    JSON.stringify({ default: [{ type: 'sigstoreSigned', keyPath: key.publicFile }] }),
  );
  await assertRefused({ image: { transport: 'dir', path: folder }, policyFile });
});

async function assertRefused(question: Parameters<typeof verifyImage>[0]): Promise<void> {
  try {
    assert.equal((await verifyImage(question)).allowed, false);
  } catch (error) {
    assert(isBootsealError(error), String(error));
  }
}

test('the gate for other jobs throws with exit 1 and the same words', async () => {
  const server = await fakeRegistry((_request, response) => {
    response.statusCode = 404;
    response.end();
  });
  const admit = await prepareAdmit(request(server.host));
  const source = await openSource(dockerName(`${server.host}/acme/app:v1`), FAST);
  try {
    await assert.rejects(admit(source, await source.topManifest()), (error) => {
      assert(isBootsealError(error));
      assert.equal(error.code, 'trust/no-signature');
      assert.equal(error.exit, 1);
      assert.equal(error.message, 'Source image rejected: A signature was required, but no signature exists');
      return true;
    });
  } finally {
    await source.close();
  }
});
