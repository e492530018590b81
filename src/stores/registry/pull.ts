/** Where registries.conf sends a name: its mirrors, tried in order, then the registry itself. */
import { BootsealError, isBootsealError } from '../../errors.ts';
import type { Endpoint, RegistriesConf } from '../../formats/registries-conf/config.ts';
import { allowedEndpoint, pullSources } from '../../formats/registries-conf/lookup.ts';
import { formatReference, type DockerReference } from '../../formats/reference/docker-reference.ts';
import type { TransportOptions } from '../transport-options.ts';
import { loadRegistriesConf } from '../trust-files/registries-conf.ts';

/** Throws `registries-conf/…`; what a file says wrongly is told in upstream's words. */
export async function registriesConf(options: TransportOptions): Promise<RegistriesConf> {
  if (options.registriesConf !== undefined) return options.registriesConf;
  const load = (): Promise<RegistriesConf> =>
    loadRegistriesConf({
      ...(options.registriesConfFile !== undefined && { file: options.registriesConfFile }),
      ...(options.env && { env: options.env }),
    });
  try {
    return await (options.session?.share('registries.conf', load) ?? load());
  } catch (error) {
    if (!isBootsealError(error)) throw error;
    const { code, message, hint, where, exit } = error;
    throw new BootsealError(code, `loading registries configuration: ${message}`, {
      exit,
      cause: error,
      ...(hint !== undefined && { hint }),
      ...(where !== undefined && { where }),
    });
  }
}

/**
 * Opens the first place that gives the image. Where none does, the primary's error is thrown, with what the mirrors
 * said; its code and exit status decide. An interrupt ends the trying.
 */
export async function fromFirst<T>(
  reference: DockerReference,
  options: TransportOptions,
  open: (physical: DockerReference, options: TransportOptions) => Promise<T>,
): Promise<T> {
  const conf = await registriesConf(options);
  const failed: string[] = [];
  for (const source of pullSources(conf, reference)) {
    try {
      // A mirror, or the place that an entry points at, may have been blocked by its own name.
      allowedEndpoint(conf, source.reference);
      return await open(
        source.reference,
        optionsFor(source.reference, reference, source.endpoint, { ...options, registriesConf: conf }),
      );
    } catch (error) {
      if (options.signal?.aborted === true || !isBootsealError(error)) throw error;
      if (!source.isMirror) throw failed.length === 0 ? error : together(source.reference, error, failed);
      failed.push(`[${formatReference(source.reference)}: ${error.message}]`);
      options.onProgress?.({
        kind: 'mirror',
        reference: formatReference(source.reference),
        reason: error.message,
      });
    }
  }
  throw new Error('registries.conf gave no place to pull from');
}

/** For writing: the name stays as it is; a blocked registry is refused, and an insecure one may be. */
export async function optionsForPush(
  reference: DockerReference,
  options: TransportOptions,
): Promise<TransportOptions> {
  const conf = await registriesConf(options);
  return optionsFor(reference, reference, allowedEndpoint(conf, reference), {
    ...options,
    registriesConf: conf,
  });
}

function optionsFor(
  physical: DockerReference,
  logical: DockerReference,
  endpoint: Endpoint | undefined,
  { credentials, certDir, ...options }: TransportOptions,
): TransportOptions {
  // A password given for the registry is for its host alone, and so are certificates and keys.
  const isOwnHost = physical.domain === logical.domain;
  return {
    ...options,
    ...(endpoint?.insecure === true && options.tlsVerify === undefined && { tlsVerify: false }),
    ...(endpoint !== undefined && endpoint.proxy !== '' && { proxy: endpoint.proxy }),
    ...(isOwnHost && credentials && { credentials }),
    ...(certDir !== undefined && { certDir }),
  };
}

function together(primary: DockerReference, error: BootsealError, failed: readonly string[]): BootsealError {
  const message = `(Mirrors also failed: ${failed.join('\n')}): ${formatReference(primary)}: ${error.message}`;
  return new BootsealError(error.code, message, {
    exit: error.exit,
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
