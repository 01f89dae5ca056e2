import type { ContainerConfig, HostRecord } from '../src/model.js';
import type { HostCandidate, PlacementRequest } from '../src/placement.js';

/** Hosts and requests of placement tests: an empty host with 1000 slots, and an endpoint that asks for 10. */

export function aRecord(id: string, change: Partial<HostRecord> = {}): HostRecord {
  return {
    id,
    name: id,
    address: '10.0.0.1',
    slots: 1000,
    cpus: 4,
    memoryBytes: 8 * 2 ** 30,
    overcommit: 0,
    labels: {},
    images: [],
    containers: [],
    dockerVersion: '24',
    apiUrl: null,
    dockerError: null,
    startedAtMs: 0,
    version: '0.1.0',
    epochSeen: null,
    ...change,
  };
}

export function aHost(id: string, change: Partial<HostRecord> = {}, rest: Partial<HostCandidate> = {}): HostCandidate {
  const used = { slots: 0, cpus: 0, memoryBytes: 0 };
  return { record: aRecord(id, change), lost: false, draining: false, used, placed: [], recentFailures: 0, ...rest };
}

const CONTAINER: ContainerConfig = {
  image: 'web',
  command: null,
  entrypoint: null,
  user: null,
  environment: [],
  memLimitBytes: 0,
  memReservationBytes: 0,
  cpus: 0,
  dns: [],
  hostname: null,
  volumes: [],
  volumesFrom: [],
  network: null,
  hostPort: null,
  pidsLimit: 4096,
  links: [],
};

export function aRequest(
  placement: Partial<PlacementRequest['placement']> = {},
  container: Partial<ContainerConfig> = {},
): PlacementRequest {
  return {
    endpoint: 'web',
    placement: { slots: 10, strategy: 'spread', constraints: [], affinity: [], rebalance: 'off', ...placement },
    container: { ...CONTAINER, ...container },
    port: 80,
  };
}
