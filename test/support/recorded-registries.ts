/** The images of the policy vectors, pulled as the case's registries.conf says, from a registry that stands in for the recorded one. */
import { existsSync } from 'node:fs';
import { NO_REGISTRIES_CONF } from '../../src/formats/registries-conf/config.ts';
import type { DockerReference } from '../../src/formats/reference/docker-reference.ts';
import type { ImageName } from '../../src/formats/reference/image-name.ts';
import type { ImageSource } from '../../src/stores/image.ts';
import { openSource } from '../../src/stores/open.ts';
import { fromFirst, registriesConf } from '../../src/stores/registry/pull.ts';

/**
 * `recorded` is the host that the vectors name, `live` the one that answers. Without a registries.conf the recorded
 * registry is asked under its own name. What the file refuses is thrown; closed ports of the recording stay closed.
 */
export async function openRecorded(
  name: ImageName & { readonly transport: 'docker' },
  confFile: string,
  recorded: string,
  live: string,
): Promise<ImageSource> {
  const conf = existsSync(confFile)
    ? await registriesConf({ registriesConfFile: confFile })
    : NO_REGISTRIES_CONF;
  return fromFirst(name.reference, { registriesConf: conf }, async (physical) => {
    const domain = physical.domain === recorded ? live : physical.domain;
    const reference: DockerReference = { ...physical, domain };
    const source = await openSource(
      { transport: 'docker', reference },
      { registriesConf: NO_REGISTRIES_CONF },
    );
    return { ...source, name, physical };
  });
}
