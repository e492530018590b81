/**
 * Job `policy explain`: the same judgement as verify's, with all that led to it. Every requirement and every signature
 * is judged, also those that verify need not look at; the verdict is the same value.
 */
import { isBootsealError } from '../errors.ts';
import type { DockerReference } from '../formats/reference/docker-reference.ts';
import { openSource } from '../stores/open.ts';
import { loadRegistriesConfig } from '../stores/trust-files/registries-d.ts';
import { mirrorOf } from './unusable.ts';
import { matchPolicy, settingsOf, type MatchResult, type RegistriesSetting } from './match-policy.ts';
import { verifyImage, type VerifyPorts, type VerifyRequest, type VerifyResult } from './verify.ts';

export interface Explanation {
  readonly match: MatchResult;
  readonly result: VerifyResult;
  /** Where the bytes came from when that is not the name that was asked for: a mirror. */
  readonly mirror?: {
    readonly reference: DockerReference;
    readonly registries: readonly RegistriesSetting[];
  };
}

/** Throws as {@link verifyImage}. */
export async function explainPolicy(request: VerifyRequest, ports: VerifyPorts = {}): Promise<Explanation> {
  const env = ports.env ?? process.env;
  const { image, registriesDirectory: directory } = request;
  // 1. What the files say about the name. Errors in them are worded by verify.
  const match = await matchPolicy(request, env).catch(async (error: unknown) => {
    if (isBootsealError(error)) await verifyImage(request, ports);
    throw error;
  });
  const registries =
    ports.registries ?? (await loadRegistriesConfig({ env, ...(directory !== undefined && { directory }) }));
  // 2. The judgement.
  const source = ports.source ?? (await openSource(image, ports.transport));
  try {
    const result = await verifyImage({ ...request, exhaustive: true }, { ...ports, source, registries });
    const physical = mirrorOf(source);
    return {
      match,
      result,
      ...(physical && { mirror: { reference: physical, registries: settingsOf(registries, physical, env) } }),
    };
  } finally {
    if (ports.source === undefined) await source.close();
  }
}
