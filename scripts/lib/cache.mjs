/** Where downloads and built helpers are kept between runs. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export function cacheFolder() {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'bootseal');
}
