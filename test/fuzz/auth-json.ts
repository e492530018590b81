/** Credentials files, and WWW-Authenticate headers. */
import { decodeLatin1 } from '../../src/bytes/bytes.ts';
import { findAuth } from '../../src/formats/auth-json/lookup.ts';
import { parseAuthFile } from '../../src/formats/auth-json/reader.ts';
import { parseChallenges } from '../../src/stores/registry/challenge.ts';
import type { FuzzTarget } from './harness.ts';

export const target: FuzzTarget = {
  name: 'auth-json',
  seeds: () =>
    [
      '{"auths":{"quay.io":{"auth":"YTpi"},"https://index.docker.io/v1/":{"auth":"YTpi","identitytoken":"t"}}}',
      '{"credHelpers":{"gcr.io":"gcloud"},"credsStore":"x"}',
      'Bearer realm="https://a/t",service="s",scope="repository:x:pull,push", Basic realm="y\\"z"',
    ].map((text) => Buffer.from(text)),
  run(bytes) {
    if (bytes[0] === 0x7b) {
      const file = parseAuthFile(bytes);
      findAuth(file, 'quay.io', 'quay.io/acme/os');
      findAuth(file, 'docker.io', 'docker.io/library/x');
    } else parseChallenges(decodeLatin1(bytes));
  },
};
