/** From an image name to the store that holds it. Each transport is loaded only when a name asks for it. */
import { BootsealError } from '../errors.ts';
import type { ImageName } from '../formats/reference/image-name.ts';
import type { ImageDestination, ImageSource } from './image.ts';
import type { TransportOptions } from './transport-options.ts';

export type { TransportEvent, TransportOptions } from './transport-options.ts';

/** Resolves the name: a tag is looked up once, here. Throws `store/unsupported-transport` and what the transport throws. */
export async function openSource(name: ImageName, options: TransportOptions = {}): Promise<ImageSource> {
  switch (name.transport) {
    case 'docker':
      return (await import('./registry/source.ts')).openRegistrySource(name, options);
    case 'oci':
      return (await import('./oci-layout/source.ts')).openLayoutSource(name, options.signal);
    case 'oci-archive':
      return (await import('./oci-archive/source.ts')).openArchiveSource(name, options.signal);
    case 'dir':
      return (await import('./dir/source.ts')).openDirSource(name, options.signal);
    case 'docker-archive':
      return (await import('./docker-archive/source.ts')).openDockerArchiveSource(name, options.signal);
    case 'containers-storage':
    default:
      return (await import('./containers-storage/source.ts')).openStorageSource(name, options.env);
  }
}

export async function openDestination(
  name: ImageName,
  options: TransportOptions = {},
): Promise<ImageDestination> {
  switch (name.transport) {
    case 'docker':
      return (await import('./registry/destination.ts')).openRegistryDestination(name, options);
    case 'oci':
      return (await import('./oci-layout/destination.ts')).openLayoutDestination(name);
    case 'oci-archive':
      return (await import('./oci-archive/destination.ts')).openArchiveDestination(name);
    case 'dir':
      return (await import('./dir/destination.ts')).openDirDestination(name);
    case 'docker-archive':
    case 'containers-storage':
    default:
      throw unsupported(name.transport, 'written to');
  }
}

function unsupported(transport: string, verb: string): BootsealError {
  return new BootsealError('store/unsupported-transport', `${transport}: images cannot be ${verb} yet`, {
    hint: 'use docker://, oci:, oci-archive: or dir:',
    exit: 2,
  });
}
