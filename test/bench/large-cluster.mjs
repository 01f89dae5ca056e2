import { fingerprint, resolveEndpoint } from '../../packages/config/dist/index.js';
import { KEYS, readCluster } from '../../packages/core/dist/index.js';

/**
 * A settled cluster as records: 1,000 endpoints of 10 instances each on 100 hosts, every instance ready, every load
 * balancer heard. Made of the same records that the API, the controller and the agents write.
 */
export const ENDPOINTS = 1_000;
export const INSTANCES = 10;
export const HOSTS = 100;
/** Each endpoint is asked through so many of the hosts' load balancers. */
export const SOURCES = 10;

const WINDOW_SECONDS = 10;
const TARGET_RATE = 8;
const RULE_RATE = 10;
const EPOCH = 1;

const hostName = (host) => `h${String(host).padStart(3, '0')}`;
const endpointName = (endpoint) => `shop${String(endpoint).padStart(4, '0')}`;
const instanceName = (endpoint, instance) => `${String(endpoint).padStart(4, '0')}i${String(instance).padStart(4, '0')}`;
const addressOf = (host) => `10.77.0.${host + 11}`;

const documentOf = (endpoint) => ({
  endpoint: { url: `http://${endpointName(endpoint)}.example/`, cloud: 'docker', loadbalancer: 'nginx', port: '5000' },
  scaling: {
    min_instances: '1',
    max_instances: '40',
    rules: `${RULE_RATE - 5} < rate < ${RULE_RATE}`,
    window: String(WINDOW_SECONDS),
  },
  'cloud:docker': { image: 'shop:1.0', command: '/usr/local/bin/runapp', environment: 'MODE=production' },
});

/** Every record but what the controller remembers, as `[key, value]`. */
export function largeCluster(nowMs) {
  const records = [[KEYS.leader, { host: hostName(0), epoch: EPOCH }]];
  for (let host = 0; host < HOSTS; host++) records.push([KEYS.host(hostName(host)), hostRecord(host, nowMs)]);
  for (let endpoint = 0; endpoint < ENDPOINTS; endpoint++) {
    const name = endpointName(endpoint);
    const document = documentOf(endpoint);
    const { config } = resolveEndpoint(document);
    const hash = fingerprint(config);
    records.push([
      KEYS.endpoint(name),
      { name, uid: `u${endpoint}`, document, state: 'RUNNING', changedAtMs: nowMs - 3_600_000 },
    ]);
    for (let instance = 0; instance < INSTANCES; instance++) {
      const host = (endpoint * INSTANCES + instance) % HOSTS;
      const id = instanceName(endpoint, instance);
      records.push([KEYS.instance(id), instanceRecord({ id, endpoint, host, config, hash, nowMs })]);
      records.push([KEYS.report(hostName(host), id), instanceReport({ id, endpoint, host, nowMs })]);
    }
  }
  for (let host = 0; host < HOSTS; host++) {
    const value = { host: hostName(host), revision: 1, serving: [], setAside: {}, error: null };
    records.push([KEYS.balancer(hostName(host)), value]);
  }
  return records;
}

/** As the daemon does it: each configuration is resolved once per revision of its record. */
export function createResolver() {
  const known = new Map();
  return ({ value, revision }) => {
    const cached = known.get(value.name);
    if (cached?.revision === revision) return cached.resolved;
    const { config } = resolveEndpoint(value.document);
    const resolved = { config, hash: fingerprint(config) };
    known.set(value.name, { revision, resolved });
    return resolved;
  };
}

/** Groups the records as a store would hand them over. */
export function clusterOf(records, revision = 1) {
  return readCluster({
    clusterId: 'paper',
    revision,
    entries: new Map(records.map(([key, value]) => [key, { value, revision }])),
  });
}

/**
 * The traffic report of every host. A steady endpoint gets what its instances take; the first `surging` ones get
 * twice that, so that they want more instances. `sources` of the hosts see each endpoint.
 */
export function trafficReports(nowMs, { surging = 0, sources = SOURCES } = {}) {
  const newest = Math.floor(nowMs / 1000) - 1;
  const reports = Array.from({ length: HOSTS }, () => ({}));
  for (let endpoint = 0; endpoint < ENDPOINTS; endpoint++) {
    const rate = (TARGET_RATE * INSTANCES * (endpoint < surging ? 2 : 1)) / sources;
    for (let source = 0; source < sources; source++) {
      reports[(endpoint + source * (HOSTS / sources)) % HOSTS][endpointName(endpoint)] = endpointTraffic(endpoint, rate, newest);
    }
  }
  return reports.map((endpoints, host) => [
    hostName(host),
    { atMs: nowMs, completeSinceMs: nowMs - 3_600_000, endpoints, badLines: 0, lagBytes: 0 },
  ]);
}

function endpointTraffic(endpoint, rate, newest) {
  const buckets = Array.from({ length: WINDOW_SECONDS + 1 }, (_, index) => ({
    second: newest - WINDOW_SECONDS + index,
    requests: rate,
    bytes: rate * 4_321,
    timed: rate,
    seconds: rate * 0.012,
    errors: 0,
  }));
  const times = Array.from({ length: 12 }, (_, index) => [300 + index * 7, 1 + Math.floor(rate / 4)]).flat();
  const backends = {};
  for (let instance = 0; instance < INSTANCES; instance++) {
    backends[instanceName(endpoint, instance)] = { active: 1, requests: rate, errors: 0, refused: 0 };
  }
  return { buckets, times, active: INSTANCES, backends };
}

function hostRecord(host, nowMs) {
  return {
    id: hostName(host),
    name: hostName(host),
    address: addressOf(host),
    slots: 4_000,
    cpus: 32,
    memoryBytes: 128_000_000_000,
    overcommit: 0,
    labels: { storagedriver: 'overlay2', zone: host % 2 === 0 ? 'a' : 'b' },
    images: [{ id: 'sha256:eb2b727f547d', tags: ['shop:1.0'] }],
    containers: [],
    dockerVersion: '20.10.24',
    apiUrl: null,
    dockerError: null,
    startedAtMs: nowMs - 3_600_000,
    version: '0.1.0',
    epochSeen: null,
  };
}

function instanceRecord({ id, endpoint, host, config, hash, nowMs }) {
  return {
    id,
    endpoint: endpointName(endpoint),
    endpointUid: `u${endpoint}`,
    host: hostName(host),
    slots: config.placement.slots,
    cpus: config.container.cpus,
    memoryBytes: config.container.memReservationBytes || config.container.memLimitBytes,
    hostPort: null,
    hash,
    container: config.container,
    port: config.port,
    healthCheck: config.healthCheck,
    startTimeoutMs: config.unregisteredTimeoutMs,
    stopTimeoutMs: config.stopTimeoutMs,
    errorMarks: config.errorMarks,
    phase: 'run',
    createdAtMs: nowMs - 600_000,
    drainedAtMs: null,
    errored: false,
    replaces: null,
    epoch: EPOCH,
  };
}

function instanceReport({ id, endpoint, host, nowMs }) {
  return {
    id,
    endpoint: endpointName(endpoint),
    host: hostName(host),
    state: 'ready',
    containerId: id.repeat(7).slice(0, 64),
    startedAtMs: nowMs - 599_000,
    readyAtMs: nowMs - 598_500,
    address: { host: addressOf(host), port: 20_000 + (endpoint % 10) * INSTANCES },
    marks: 0,
    wasReady: true,
    error: null,
  };
}
