/**
 * Image names as containers-transports(5) writes them: `docker://`, `oci:`, `oci-archive:`, `dir:`,
 * `docker-archive:`, `containers-storage:`. A bare name means `docker://`.
 */
import type { DockerReference } from './docker-reference.ts';

export type ImageName =
  | { readonly transport: 'docker'; readonly reference: DockerReference }
  | { readonly transport: 'oci' | 'oci-archive'; readonly path: string; readonly image?: string; readonly index?: number }
  | { readonly transport: 'dir'; readonly path: string }
  | { readonly transport: 'docker-archive'; readonly path: string; readonly reference?: string }
  | { readonly transport: 'containers-storage'; readonly reference: string };
