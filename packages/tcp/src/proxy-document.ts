import { networkInterfaces } from 'node:os';
import type { TcpService } from '@reactor/core';
import { addressOf, type Listener, PROTOCOL, type ProxyDocument, type Target } from './document.js';

/** From the services of this host to the document of its proxy. Pure but for the addresses of this machine, which are given. */

export interface Rendered {
  readonly document: ProxyDocument;
  /** By endpoint, why it is not in it. */
  readonly aside: Readonly<Record<string, string>>;
}

export function renderDocument(services: readonly TcpService[], ownAddresses: ReadonlySet<string>): Rendered {
  const ports = new Map<number, TcpService[]>();
  const aside: Record<string, string> = {};
  // Of a removed endpoint nobody new comes; those who are there are counted without being in the document.
  const served = services.filter(({ removed }) => !removed);
  for (const service of served.toSorted((a, b) => (a.endpoint < b.endpoint ? -1 : 1))) {
    const loop = service.backends.find(({ host, port }) => port === service.url.port && ownAddresses.has(host));
    if (loop !== undefined) {
      aside[service.endpoint] =
        `backend ${addressOf(loop)} is this host's own port ${service.url.port}: connections would go round`;
      continue;
    }
    ports.set(service.url.port, [...(ports.get(service.url.port) ?? []), service]);
  }
  const listeners = [...ports].sort(([a], [b]) => a - b).map(([port, sharing]) => listenerOf(port, sharing));
  return { document: { protocol: PROTOCOL, listeners }, aside };
}

function listenerOf(port: number, sharing: readonly TcpService[]): Listener {
  const { exclusive, disposable, disposeMinMs, reconnectMs, clientSubnets, balance } = sharing[0]!.tcp;
  return {
    port,
    terms: { exclusive, disposable, disposeMinMs, reconnectMs, clientSubnets, balance },
    endpoints: sharing.map(({ endpoint, windowMs }) => ({ name: endpoint, windowMs })),
    targets: sharing.flatMap((service) => [
      ...service.backends.map((backend): Target => ({ ...backend, endpoint: service.endpoint, draining: false })),
      ...(service.draining ?? []).map((backend): Target => ({ ...backend, endpoint: service.endpoint, draining: true })),
    ]),
  };
}

/** Every address at which this machine itself answers. */
export function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(['localhost', '0.0.0.0', '::', '127.0.0.1', '::1', ...all.map(({ address }) => address)]);
}
