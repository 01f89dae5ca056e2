import { networkInterfaces } from 'node:os';
import { ReactorError } from '@reactor/core';

/** Interfaces that carry containers' traffic, not the host's. */
const CONTAINER_INTERFACE = /^(docker|br-|veth|cni|flannel|virbr|lxc|podman)/;

/**
 * The address other hosts (and this one's load balancer) reach this host's containers at: the first IPv4 address of a real
 * interface, in order of name; else the Docker bridge's own, which serves a host without any network. Loopback never is:
 * ports published there go through docker-proxy, at a third of the throughput, and die with the engine.
 */
export function discoverAddress(interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces()): string {
  const found = Object.entries(interfaces)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, addresses]) => (addresses ?? []).map((address) => ({ name, ...address })))
    .filter((address) => address.family === 'IPv4' && !address.internal && !address.address.startsWith('169.254.'));
  const own = found.find(({ name }) => !CONTAINER_INTERFACE.test(name)) ?? found[0];
  if (own) return own.address;
  throw new ReactorError(
    'config_invalid',
    'manager.address: this host has no network address; set one that containers can be published on',
  );
}

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

/** Listening on all interfaces is not an address; then the host's own is one of them. */
const ANY_ADDRESS: readonly string[] = ['', '0.0.0.0', '::'];

/** Where other hosts reach an API that listens on `listens`; null when that is loopback. */
export function advertisedUrl(listens: string, port: number, address: string): string | null {
  if (isLoopback(listens)) return null;
  const host = ANY_ADDRESS.includes(listens) ? address : listens;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
