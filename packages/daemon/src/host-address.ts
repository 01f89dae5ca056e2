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
