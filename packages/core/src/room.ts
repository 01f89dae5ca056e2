import type { Cluster } from './cluster.js';
import { openLedger } from './ledger.js';
import { demandOf, type HostCandidate, type PlacementRequest, place } from './placement.js';

/**
 * How many instances of an endpoint the live hosts can hold: those that are there, and as many more as fit beside
 * everything else. No filter looks beyond one host, so each is filled alone, by the placement that the controller asks.
 */
export interface Room {
  /** At most the limit that was asked for. */
  readonly instances: number;
  readonly hosts: number;
}

export function roomFor(request: PlacementRequest, cluster: Cluster, limit: number): Room {
  const hosts = openLedger(cluster).candidates(() => 0);
  let instances = 0;
  for (const host of hosts) {
    if (host.draining) continue;
    instances += host.placed.filter(({ endpoint }) => endpoint === request.endpoint).length;
    let filled = host;
    while (instances < limit && place(request, [filled], () => 0).kind === 'placed') {
      filled = withOneMore(filled, request);
      instances += 1;
    }
  }
  return { instances: Math.min(instances, limit), hosts: hosts.length };
}

function withOneMore(host: HostCandidate, request: PlacementRequest): HostCandidate {
  const { slots, cpus, memoryBytes } = demandOf(request.placement, request.container);
  const { hostPort, network } = request.container;
  const instance = {
    endpoint: request.endpoint,
    instance: '',
    hostPort: network === 'host' && request.port > 0 ? request.port : hostPort,
    network,
  };
  return {
    ...host,
    used: {
      slots: host.used.slots + slots,
      cpus: host.used.cpus + cpus,
      memoryBytes: host.used.memoryBytes + memoryBytes,
    },
    placed: [...host.placed, instance],
  };
}
