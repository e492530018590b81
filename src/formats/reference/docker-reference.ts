/** Docker references: `host[:port]/path[:tag][@digest]`, normalised as distribution/reference does. */
import type { Digest } from '../oci/digest.ts';

export interface DockerReference {
  /** `host[:port]`; `docker.io` where the text named none. */
  readonly domain: string;
  /** Repository path without the host; `library/` added for docker.io where the text had one component. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}
