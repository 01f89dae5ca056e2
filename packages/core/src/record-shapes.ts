import type { HostLoss } from './cluster.js';
import { KEYS } from './keys.js';
import type { StartFailures } from './lifecycle.js';
import type {
  BalancerRecord,
  ContainerConfig,
  EndpointRecord,
  EpochRecord,
  HealthCheckConfig,
  Hold,
  HostConfig,
  HostRecord,
  InstanceRecord,
  InstanceReport,
  InstanceWish,
  LeaderRecord,
} from './model.js';
import type { ManagerConfigRecord, MetadataRecord, NameRecord } from './operator-records.js';
import type { EndpointHistory } from './plan.js';
import { anything, type Check, flag, listOf, mapOf, number, oneOf, orNull, recordOf, text } from './record-check.js';
import type { KillRecord } from './session.js';

/** The shape of every kind of record, by where it is kept: what a record has to be before anybody makes anything of it. */
export interface RecordKind {
  /** What its key starts with, or is. */
  readonly prefix: string;
  readonly check: Check;
  /** The rest of the key as the record itself has it, so that one in another's place is noticed. */
  readonly place?: (record: never) => string;
  /** Nothing is decided without it: while one was never readable, nothing is started, stopped or changed. */
  readonly needed: boolean;
}

const DOCUMENT = mapOf(mapOf(text));

const CONTAINER = recordOf<ContainerConfig>({
  image: text,
  command: orNull(listOf(text)),
  entrypoint: orNull(listOf(text)),
  user: orNull(text),
  environment: listOf(listOf(text)),
  memLimitBytes: number,
  memReservationBytes: number,
  cpus: number,
  dns: listOf(text),
  hostname: orNull(text),
  volumes: listOf(text),
  volumesFrom: listOf(text),
  network: orNull(text),
  hostPort: orNull(number),
  pidsLimit: number,
  links: listOf(recordOf<ContainerConfig['links'][number]>({ endpoint: text, alias: text })),
});

const ENDPOINT = recordOf<EndpointRecord>(
  {
    name: text,
    uid: text,
    document: DOCUMENT,
    state: oneOf('RUNNING', 'STOPPED', 'PAUSED', 'REMOVED'),
    changedAtMs: number,
    hold: recordOf<Hold>({ count: number, untilMs: orNull(number) }),
  },
  'hold',
);

const INSTANCE = recordOf<InstanceRecord>({
  id: text,
  endpoint: text,
  endpointUid: text,
  host: text,
  slots: number,
  cpus: number,
  memoryBytes: number,
  hostPort: orNull(number),
  hash: text,
  container: CONTAINER,
  port: number,
  healthCheck: recordOf<HealthCheckConfig>({ path: orNull(text), intervalMs: number, timeoutMs: number }),
  startTimeoutMs: number,
  stopTimeoutMs: number,
  errorMarks: number,
  phase: oneOf('run', 'drain', 'remove'),
  createdAtMs: number,
  drainedAtMs: orNull(number),
  errored: flag,
  replaces: orNull(text),
  epoch: number,
});

const REPORT = recordOf<InstanceReport>(
  {
    id: text,
    endpoint: text,
    host: text,
    state: oneOf('pulling', 'starting', 'ready', 'unhealthy', 'exited', 'gone'),
    containerId: orNull(text),
    startedAtMs: orNull(number),
    readyAtMs: orNull(number),
    address: orNull(recordOf<{ host: string; port: number }>({ host: text, port: number })),
    marks: number,
    wasReady: flag,
    tokenHash: orNull(text),
    error: orNull(text),
    spent: flag,
  },
  'tokenHash',
  'spent',
);

const HOST = recordOf<HostRecord>(
  {
    id: text,
    name: text,
    address: text,
    apiUrl: orNull(text),
    slots: number,
    cpus: number,
    memoryBytes: number,
    overcommit: number,
    labels: mapOf(text),
    images: listOf(recordOf<HostRecord['images'][number]>({ id: text, tags: listOf(text) })),
    containers: listOf(
      recordOf<HostRecord['containers'][number]>({
        id: text,
        names: listOf(text),
        labels: mapOf(text),
        hostPorts: listOf(number),
      }),
    ),
    dockerVersion: orNull(text),
    dockerError: orNull(text),
    balancers: listOf(text),
    startedAtMs: number,
    version: text,
    epochSeen: orNull(recordOf<{ epoch: number; host: string }>({ epoch: number, host: text })),
  },
  'balancers',
);

const LOSS = recordOf<HostLoss>(
  { sinceMs: number, epoch: number, seenSinceMs: number, braked: flag },
  'epoch',
  'seenSinceMs',
  'braked',
);

const EPOCH = recordOf<EpochRecord>({ epoch: number, host: text, released: flag, quietUntilMs: number }, 'quietUntilMs');

const HISTORY = recordOf<EndpointHistory>(
  {
    targets: recordOf<EndpointHistory['targets']>({
      targets: listOf(recordOf<{ target: number; sinceMs: number }>({ target: number, sinceMs: number })),
    }),
    failures: recordOf<StartFailures>({
      count: number,
      notBeforeMs: number,
      recent: listOf(recordOf<StartFailures['recent'][number]>({ host: text, atMs: number })),
    }),
    decision: anything,
    placement: anything,
    shadow: anything,
  },
  'placement',
  'shadow',
);

const WISH = recordOf<InstanceWish>({ kind: oneOf('drop', 'disassociate'), atMs: number });
const HOST_CONFIG = recordOf<HostConfig>({ draining: flag, removed: flag });
const BALANCER = recordOf<BalancerRecord>({
  host: text,
  revision: number,
  serving: listOf(text),
  setAside: mapOf(text),
  error: orNull(text),
});
const KILL = recordOf<KillRecord>({ id: text, host: text, endpoint: text, client: text, atMs: number });

export const RECORD_KINDS: readonly RecordKind[] = [
  { prefix: KEYS.endpoints, check: ENDPOINT, place: ({ name }: EndpointRecord) => name, needed: true },
  { prefix: KEYS.instances, check: INSTANCE, place: ({ id }: InstanceRecord) => id, needed: true },
  { prefix: KEYS.reports, check: REPORT, place: ({ host, id }: InstanceReport) => `${host}/${id}`, needed: true },
  { prefix: KEYS.hosts, check: HOST, place: ({ id }: HostRecord) => id, needed: true },
  { prefix: KEYS.losses, check: LOSS, needed: true },
  { prefix: KEYS.hostConfigs, check: HOST_CONFIG, needed: true },
  { prefix: KEYS.wishes, check: WISH, needed: true },
  { prefix: KEYS.balancers, check: BALANCER, place: ({ host }: BalancerRecord) => host, needed: true },
  { prefix: KEYS.histories, check: HISTORY, needed: true },
  { prefix: KEYS.leader, check: recordOf<LeaderRecord>({ host: text, epoch: number }), needed: true },
  { prefix: KEYS.epoch, check: EPOCH, needed: true },
  { prefix: KEYS.names, check: recordOf<NameRecord>({ endpoint: orNull(text) }), needed: false },
  { prefix: KEYS.metadata, check: recordOf<MetadataRecord>({ uid: text, values: mapOf(anything) }), needed: false },
  { prefix: KEYS.managerConfigs, check: recordOf<ManagerConfigRecord>({ document: DOCUMENT }), needed: false },
  { prefix: KEYS.kills, check: KILL, place: ({ host, id }: KillRecord) => `${host}/${id}`, needed: false },
];
