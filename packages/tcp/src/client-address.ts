import { BlockList, isIPv4 } from 'node:net';

/** Clients by address: how they are written, and which networks they come from. */

/** An IPv4 client of an IPv6 socket is an IPv4 client. */
export const plainAddress = (address: string): string => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address;
};

export const clientName = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** Whether an address lies in one of the networks; without any, everyone does. */
export function subnetCheck(subnets: readonly string[]): (address: string) => boolean {
  if (subnets.length === 0) return () => true;
  const allowed = new BlockList();
  for (const subnet of subnets) {
    const [network = '', bits] = subnet.split('/');
    const family = isIPv4(network) ? 'ipv4' : 'ipv6';
    allowed.addSubnet(network, Number(bits ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return (address) => allowed.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}
