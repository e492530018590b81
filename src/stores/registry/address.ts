/** Which hosts are this machine, and which are places that a stranger must not send us to. */
import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Cloud metadata services live here: no registry's own host has such an address. */
const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16);
linkLocal.addSubnet('fe80::', 10, 'ipv6');
linkLocal.addAddress('fd00:ec2::254', 'ipv6');

const internal = new BlockList();
internal.addSubnet('0.0.0.0', 8);
internal.addSubnet('10.0.0.0', 8);
internal.addSubnet('100.64.0.0', 10);
internal.addSubnet('172.16.0.0', 12);
internal.addSubnet('192.168.0.0', 16);
internal.addSubnet('fc00::', 7, 'ipv6');
internal.addAddress('::', 'ipv6');

/** `host` as URL.hostname gives it. Names are judged by their spelling: only `localhost` and what ends in it. */
export function isLoopback(host: string): boolean {
  const name = bare(host);
  return name === 'localhost' || name.endsWith('.localhost') || listed(loopback, name);
}

export function isLinkLocal(host: string): boolean {
  return listed(linkLocal, bare(host));
}

/** An address literal that means something only inside one network, this machine included. */
export function isInternalAddress(host: string): boolean {
  const name = bare(host);
  return isLoopback(host) || listed(linkLocal, name) || listed(internal, name);
}

/** URL.hostname keeps the brackets of IPv6 addresses, and a final dot of names. */
function bare(host: string): string {
  return host
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

function listed(list: BlockList, address: string): boolean {
  const family = isIP(address);
  // BlockList looks through ::ffff:a.b.c.d by itself.
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
