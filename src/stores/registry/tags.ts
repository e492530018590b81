/** The tags of a repository, asked where registries.conf sends its name. */
import type { DockerReference } from '../../formats/reference/docker-reference.ts';
import type { TransportOptions } from '../transport-options.ts';
import { openClient } from './client.ts';
import { listTags } from './manifests.ts';
import { fromFirst } from './pull.ts';

/** In the order of the registry. Throws `registry/…`, `auth/…`. */
export function repositoryTags(reference: DockerReference, options: TransportOptions): Promise<string[]> {
  return fromFirst(reference, options, async (physical, own) => {
    const client = await openClient(physical, own);
    try {
      return await listTags(client);
    } finally {
      await client.close();
    }
  });
}
