import { createHash } from 'node:crypto';
import type { ContainerConfig, EndpointConfig } from '@reactor/core';

/** 64 bits: an endpoint sees few configurations in its life, and a chance collision only leaves old instances running. */
const DIGITS = 16;

/**
 * Which container the configuration asks for: everything of it, the port it is published for, and the slots it takes.
 * Another fingerprint means that running instances are to be replaced; so nothing that acts without a new container
 * (scaling, url, timeouts, health check, where it is placed) is in it.
 */
export function fingerprint(config: EndpointConfig): string {
  const container = config.container === null ? null : partsOf(config.container).sort(([a], [b]) => (a < b ? -1 : 1));
  const shape = JSON.stringify([container, config.port, config.placement.slots]);
  return createHash('sha256').update(shape).digest('hex').slice(0, DIGITS);
}

/**
 * Keys that came after the first version are left out while they ask for nothing: a daemon that learns of a key must not
 * replace every container of the cluster for it.
 */
function partsOf({ entrypoint, links, ...first }: ContainerConfig): [string, unknown][] {
  return Object.entries({ ...first, ...(entrypoint === null ? {} : { entrypoint }), ...(links.length === 0 ? {} : { links }) });
}
