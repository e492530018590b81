/** Bundles, the statements in them, the artifacts around them, and the policy that asks for them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { matchesPattern, parseIdentityPattern } from '../../src/formats/bundle-policy/identity-pattern.ts';
import { parseBundlePolicy } from '../../src/formats/bundle-policy/reader.ts';
import { parseStatement } from '../../src/formats/in-toto/statement.ts';
import type { Digest } from '../../src/formats/oci/digest.ts';
import { MEDIA_TYPES } from '../../src/formats/oci/media-types.ts';
import { bundleLayer } from '../../src/formats/sigstore-bundle/artifact.ts';
import { parseBundle } from '../../src/formats/sigstore-bundle/reader.ts';
import { encodeKeyBundle } from '../../src/formats/sigstore-bundle/writer.ts';
import { vectorPath } from '../support/project.ts';
import type { FuzzTarget } from './harness.ts';

const APP = 'sha256:456b962f1a6e639d9451177189e31ee604bfa1aecd2f229626d1da5f326d7f46' as Digest;

const POLICY = {
  transports: {
    docker: {
      'quay.io/acme': [{ type: 'bundleSigned', use: 'require', keyPath: '/etc/pki/acme.pub' }],
      'ghcr.io/acme': [
        {
          type: 'bundleSigned',
          use: 'satisfy',
          keyless: {
            trustedRootPath: '/etc/bootseal/trusted_root.json',
            issuer: 'https://token.actions.githubusercontent.com',
            identityPattern: '^https://github\\.com/acme/os/[a-z.]+@refs/tags/v\\d+$',
          },
        },
      ],
    },
  },
};

export const target: FuzzTarget = {
  name: 'sigstore-bundle',
  seeds() {
    const folder = vectorPath('bundle');
    const files = readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => readFileSync(`${folder}/${name}`));
    const statements = files.flatMap((bytes) =>
      bytes.includes('dsseEnvelope') ? [parseBundle(bytes).envelope.payload] : [],
    );
    const pattern = POLICY.transports.docker['ghcr.io/acme'][0].keyless.identityPattern;
    return [...files, ...statements, Buffer.from(JSON.stringify(POLICY)), Buffer.from(pattern)];
  },
  run(bytes) {
    const text = Buffer.from(bytes).toString();
    if (text.startsWith('^')) {
      const pattern = parseIdentityPattern(text);
      // What a pattern accepts begins with the host that it spells out.
      assert(!matchesPattern(pattern, `https://evil.test/${text}`));
    } else if (text.startsWith('{"transports')) parseBundlePolicy(bytes, { file: 'bundles.json' });
    else if (text.startsWith('{"_type')) parseStatement(bytes);
    else if (text.startsWith('{"schemaVersion'))
      bundleLayer({ bytes, mediaType: MEDIA_TYPES.ociManifest }, APP);
    else {
      const { envelope, signer } = parseBundle(bytes);
      if (signer.kind !== 'key') return;
      const again = parseBundle(encodeKeyBundle(envelope, signer.hint));
      assert.deepEqual([...again.envelope.payload], [...envelope.payload]);
    }
  },
};
