/** Limits of what a policy may name as trusted. */

/** Bytes. The bundle of a Linux distribution has 150 certificates in 250 KiB. */
export const MAX_POOL_SIZE: number = 4 * 1024 * 1024;
