/** registries.conf written out: for tools that make one, and for tests that read it back. */
import { stringify } from 'smol-toml';
import { encodeUtf8 } from '../../bytes/bytes.ts';
import type { Endpoint, RegistriesConfFile } from './config.ts';

export function encodeRegistriesConf(conf: Omit<RegistriesConfFile, 'file'>): Uint8Array {
  return encodeUtf8(
    stringify({
      ...(conf.unqualifiedSearch && { 'unqualified-search-registries': [...conf.unqualifiedSearch] }),
      ...(conf.credentialHelpers && { 'credential-helpers': [...conf.credentialHelpers] }),
      ...(conf.shortNameMode && { 'short-name-mode': conf.shortNameMode }),
      registry: conf.registries.map(({ prefix, blocked, mirrorByDigestOnly, mirrors, ...endpoint }) => ({
        prefix,
        ...endpointFields(endpoint),
        blocked,
        'mirror-by-digest-only': mirrorByDigestOnly,
        mirror: mirrors.map(({ pullFromMirror, ...mirror }) => ({
          ...endpointFields(mirror),
          ...(pullFromMirror !== 'all' && { 'pull-from-mirror': pullFromMirror }),
        })),
      })),
      aliases: Object.fromEntries(conf.aliases),
    }),
  );
}

function endpointFields({ location, insecure, proxy }: Endpoint): Record<string, string | boolean> {
  return { location, insecure, ...(proxy !== '' && { proxy }) };
}
