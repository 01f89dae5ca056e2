/* What must never happen, asked after every event. Long, but one thing: the rules share the books that are kept of the past. */
import {
  type Cluster,
  type Commit,
  type CommitResult,
  type Container,
  type ContainerSpec,
  type DecisionReport,
  type EndpointRecord,
  type InstanceRecord,
  type InstanceReport,
  type Json,
  type LeaderRecord,
  type StateView,
  TOPICS,
  type TrafficReport,
} from '@reactor/core';
import { acceptingGenerations, type Generation } from './balancer.js';
import { clusterOf } from './cluster-view.js';
import { configOf } from './daemon-process.js';
import { createLossOracles } from './loss-oracles.js';
import type { Machine, Process } from './machine.js';
import type { InstanceWrite, Reader } from './reader.js';
import { createTermOracles } from './term-oracles.js';
import type { World } from './world.js';

/**
 * What must never happen, looked at whenever something did that could break it: a commit, a container started or removed, a
 * load balancer changed, a decision told. It keeps its own books and trusts no word of the code it watches. Long, but one
 * thing: the rules, one after the other.
 */
export interface Oracles {
  /** Somebody looks at the store. */
  looked(): void;
  /** Somebody has got an answer to the question for everything. */
  saw(reader: Reader, view: StateView): void;
  asked(reader: Reader, change: Commit): void;
  committed(reader: Reader, change: Commit, result: CommitResult, before: StateView): void;
  published(reader: Reader, values: Readonly<Record<string, Json>>): void;
  starting(process: Process, spec: ContainerSpec): void;
  started(machine: Machine, container: Container): void;
  removing(process: Process, containerId: string): void;
  removed(machine: Machine, containerId: string): void;
  vanished(machine: Machine, containerId: string): void;
  routed(process: Process, generation: Generation): void;
  answered(container: Container): void;
  /** The store went back to a former moment, or on from a copy: another history begins. */
  storeFellBack(before: StateView): void;
  /** Whether the operator gave this instance up together with its host. */
  isAbandoned(instance: string): boolean;
  /** When something was last done to a container, a load balancer or the records of instances. */
  readonly lastOperationMs: number;
}

/** So long, and a slow host's answers on top, what an agent says may lag behind its Docker. */
const OLDEST_REPORT_MS = 15_000;
/** A report counts for so many windows; one that is a second older certainly does not. */
const STALE_WINDOWS = 3;

export function createOracles(world: World): Oracles {
  const leaders = new Map<string, string>();
  const toRemove = new Set<string>();
  const intents = new Map<string, InstanceRecord>();
  const startedAs = new Map<string, string>();
  const runsSince = new Map<string, number>();
  const handRemoved = new Set<string>();
  const proven = new Set<string>();
  const abandoned = new Set<string>();
  const terms = createTermOracles(world);
  const losses = createLossOracles(world);
  let storeNumber = 0;
  let lastOperationMs = 0;

  const operation = (who: string, what: string): void => {
    lastOperationMs = world.nowMs;
    world.write(who, what);
  };

  // ------------------------------------------------------------------------------------------------- commits of controllers

  const committed = (reader: Reader, change: Commit, result: CommitResult, before: StateView): void => {
    const { process } = reader;
    if (result.kind === 'conflict') {
      world.cover('a commit conflicts');
      return;
    }
    for (const { key } of change.write) {
      if (!key.startsWith('instances/') && !key.startsWith('reports/')) world.write(process.name, `writes ${key}`);
    }
    const was = clusterOf(before);
    terms.committed(reader, change, was);
    if (reader.role === 'agent') reported(reader, change);
    const writes = change.write.filter(({ key }) => key.startsWith('instances/'));
    if (writes.length === 0) return;
    const is = clusterOf(world.store.view(''));
    const changes: InstanceWrite[] = [];
    for (const { key, value } of writes) {
      const id = key.slice('instances/'.length);
      const record = value as unknown as InstanceRecord | null;
      const former = was.instances.get(id)?.value ?? null;
      operation(process.name, `${id}: ${former?.phase ?? 'absent'} => ${record?.phase ?? 'absent'}${told(record, former)}`);
      oneLeader(process, record, was);
      handsOff(id, record ?? former, was);
      if (record !== null) intents.set(id, record);
      if (record?.phase === 'remove') removal(id, record, former, reader, was);
      if (record === null && former !== null) forgetting(former, was);
      if (record?.phase === 'run') ownOnly(record, former, was);
      changes.push({ id, record, former });
    }
    terms.commanded(reader, changes, was);
    for (const endpoint of new Set(writes.map(({ key }) => endpointOf(key, was, is)))) {
      if (endpoint === null) continue;
      losses.commanded(
        reader,
        endpoint,
        changes.filter(({ record, former }) => (record ?? former)?.endpoint === endpoint),
        was,
      );
      noMoreThanAllowed(endpoint, was, is);
      readyOnesStay(endpoint, reader, was, is);
    }
  };

  const oneLeader = (process: Process, record: InstanceRecord | null, was: Cluster): void => {
    const leader = was.leader?.value as LeaderRecord | undefined;
    if (leader === undefined || leader.host !== process.machine.id)
      world.violate('only the leader writes instances', `${process.name} wrote while ${leader?.host ?? 'nobody'} leads`);
    if (record === null) return;
    const term = `${storeNumber}:${record.epoch}`;
    const owner = leaders.get(term) ?? process.name;
    leaders.set(term, owner);
    if (owner !== process.name)
      world.violate('one controller per epoch', `epoch ${record.epoch} is of ${owner} and of ${process.name}`);
    if (leader !== undefined && leader.epoch !== record.epoch)
      world.violate('no command of a past term', `epoch ${record.epoch} was accepted while ${leader.epoch} is on`);
  };

  const handsOff = (id: string, record: InstanceRecord | null, was: Cluster): void => {
    const endpoint = record === null ? undefined : was.endpoints.get(record.endpoint)?.value;
    if (endpoint?.state === 'PAUSED') world.violate('nothing is done about a paused endpoint', `${id} of ${endpoint.name}`);
  };

  /** What a removed endpoint left is no other's of the same name. */
  const ownOnly = (record: InstanceRecord, former: InstanceRecord | null, was: Cluster): void => {
    const uids = [was.endpoints.get(record.endpoint)?.value.uid, was.instances.get(record.replaces ?? '')?.value.endpointUid];
    if (former?.phase !== 'run' && uids.some((uid) => uid !== undefined && uid !== record.endpointUid))
      world.violate('an endpoint has its own instances only', `${record.id} of ${record.endpoint} belongs to a removed one`);
  };

  /** A drained instance goes only when no load balancer that is known to be part of the cluster sends it requests. */
  const removal = (id: string, record: InstanceRecord, former: InstanceRecord | null, reader: Reader, was: Cluster): void => {
    toRemove.add(id);
    const report = was.reports.get(id)?.value;
    if (former?.phase !== 'drain' || report?.state === 'exited' || report?.state === 'gone') return;
    for (const machine of world.machines) {
      if (!reader.view?.entries.has(`hosts/${machine.id}`)) continue;
      const routing = acceptingGenerations(machine).some(({ services }) =>
        services.some(({ backends }) => backends.some((backend) => backend.id === id)),
      );
      if (routing)
        world.violate(
          'a drained instance gets no requests before it goes',
          `${machine.id} still sends to ${id} of ${record.endpoint}`,
        );
    }
  };

  const forgetting = (former: InstanceRecord, was: Cluster): void => {
    const machine = world.machines.find(({ id }) => id === former.host);
    const wish = was.hostConfigs.get(former.host)?.value;
    const running = machine?.engine.containers().some((each) => each.instance === former.id && each.status === 'running');
    if (wish?.removed) abandoned.add(former.id);
    else if (running && machine?.powered)
      world.violate('a record is kept as long as its container', `${former.id} is forgotten while it runs on ${former.host}`);
  };

  const noMoreThanAllowed = (name: string, was: Cluster, is: Cluster): void => {
    const endpoint = is.endpoints.get(name)?.value;
    const config = endpoint === undefined ? null : configOf(endpoint);
    if (endpoint === undefined || config === null) return;
    const before = seats(name, endpoint, was);
    const after = seats(name, endpoint, is);
    if (after > before && after > config.scaling.maxInstances)
      world.violate('never more than max_instances', `${name} has ${after} seats, at most ${config.scaling.maxInstances}`);
    const running = meant(name, endpoint, is);
    const successors = new Map<string, number>();
    for (const { replaces } of running) if (replaces !== null) successors.set(replaces, (successors.get(replaces) ?? 0) + 1);
    const twice = [...successors].find(([id, count]) => count > 1 && running.some((each) => each.id === id));
    if (twice) world.violate('one successor takes a seat', `${twice[0]} of ${name} has ${twice[1]}`);
  };

  const readyOnesStay = (name: string, reader: Reader, was: Cluster, is: Cluster): void => {
    const endpoint = was.endpoints.get(name)?.value;
    const config = endpoint === undefined ? null : configOf(endpoint);
    if (endpoint?.state !== 'RUNNING' || config === null || reader.view === null) return;
    // An instance that ended since cannot have been counted on, nor its end be known.
    const known = clusterOf(reader.view);
    const ready = (cluster: Cluster): number =>
      meant(name, endpoint, cluster).filter(
        ({ id, host }) => known.hosts.has(host) && known.reports.get(id)?.value.state === 'ready',
      ).length;
    const floor = Math.min(config.scaling.minInstances, endpoint.hold?.count ?? Number.POSITIVE_INFINITY);
    const [before, after] = [ready(was), ready(is)];
    if (after < before && after < Math.min(floor, before))
      world.violate(
        'ready instances of a running endpoint stay',
        `${name} went from ${before} ready to ${after}, at least ${floor}`,
      );
  };

  /** A listing may be five seconds old, and so may be what was concluded from it. */
  const reported = ({ process: { machine, name } }: Reader, change: Commit): void => {
    for (const { key, value } of change.write) {
      if (!key.startsWith('reports/') || value === null) continue;
      const { id, state } = value as unknown as InstanceReport;
      if (state !== 'gone' && state !== 'exited') continue;
      const container = machine.engine.containers().find((each) => each.instance === id && each.status === 'running');
      const sinceMs = container === undefined ? undefined : runsSince.get(nameOf(machine, container.id));
      if (sinceMs !== undefined && world.nowMs - sinceMs > OLDEST_REPORT_MS)
        world.violate('what runs is not called dead', `${name} says that ${id} is ${state}, but its container has run for long`);
    }
  };

  // ------------------------------------------------------------------------------------------------------------- decisions

  const decided = (reader: Reader, name: string, { atMs, record }: DecisionReport): void => {
    const { target, instances, scaling, state } = record;
    if (!Number.isSafeInteger(target) || target < 0) world.violate('a target is a count', `${name}: ${target}`);
    if (state !== 'RUNNING' || record.kinds.includes('hold_by_operator')) return;
    if (target > scaling.maxInstances) world.violate('a target is at most max_instances', `${name}: ${record.sentence}`);
    if (target < Math.min(scaling.minInstances, scaling.maxInstances))
      world.violate('a target is at least min_instances', `${name}: ${record.sentence}`);
    const missing = missingReports(reader, scaling.windowMs, atMs);
    if (missing !== null && scaling.rules.length > 0) {
      world.cover('a decision without all metrics');
      if (target < Math.min(instances, scaling.maxInstances))
        world.violate(
          'missing metrics never lower the target',
          `${name}: ${target} of ${instances} without ${missing}: ${record.sentence}`,
        );
    }
  };

  /** A host that is part of the cluster, has a load balancer, and of which the daemon knew no traffic that was recent when it decided. */
  const missingReports = ({ view, traffic }: Reader, windowMs: number, nowMs: number): string | null => {
    if (view === null || traffic === null) return null;
    for (const key of view.entries.keys()) {
      if (!key.startsWith('balancers/')) continue;
      const host = key.slice('balancers/'.length);
      if (!view.entries.has(`hosts/${host}`)) continue;
      const report = traffic.get(TOPICS.trafficOf(host)) as unknown as TrafficReport | undefined;
      if (report === undefined || report.atMs < nowMs - STALE_WINDOWS * windowMs - 1_000) return host;
    }
    return null;
  };

  const published = (reader: Reader, values: Readonly<Record<string, Json>>): void => {
    for (const [topic, value] of Object.entries(values)) {
      if (topic.startsWith(TOPICS.decisions))
        decided(reader, topic.slice(TOPICS.decisions.length), value as unknown as DecisionReport);
    }
  };

  // ------------------------------------------------------------------------------------------------------------ containers

  const starting = (process: Process, spec: ContainerSpec): void => {
    terms.acting(process, spec.instance, 'run');
    const intent = intents.get(spec.instance);
    if (intent === undefined) world.violate('a container is started on a record only', spec.name);
    else if (intent.host !== process.machine.id)
      world.violate('a container starts where it was placed', `${spec.name} on ${process.machine.id}, not ${intent.host}`);
  };

  const started = (machine: Machine, container: Container): void => {
    operation(machine.id, `container ${container.id.slice(-4)} of ${container.instance} runs at port ${container.address?.port}`);
    const { instance } = container;
    const alive = world.machines.flatMap((each) =>
      each.engine.containers().filter((other) => other.instance === instance && other.status === 'running'),
    );
    if (alive.length > 1) world.violate('one container for one intent', `${instance} has ${alive.length}`);
    const [name, former] = [nameOf(machine, container.id), startedAs.get(instance)];
    if (former !== undefined && former !== name && !handRemoved.has(former))
      world.violate('one container for one intent', `${instance} was started again`);
    startedAs.set(instance, name);
    runsSince.set(name, world.nowMs);
    slots(machine);
    addresses(machine, 'a container was started');
  };

  const slots = (machine: Machine): void => {
    const records = world.store.view('').entries;
    const used = machine.engine
      .containers()
      .filter(({ status, instance, hash }) => status === 'running' && hash !== FOREIGN && records.has(`instances/${instance}`))
      .reduce((sum, container) => sum + container.slots, 0);
    if (used > machine.slots)
      world.violate('a host gives out its slots once', `${machine.id} has ${used} of ${machine.slots} in use`);
  };

  const removing = (process: Process, id: string): void => {
    const container = process.machine.engine.containers().find((each) => each.id === id);
    if (container === undefined) return;
    terms.acting(process, container.instance, 'remove');
    if (container.hash === FOREIGN)
      world.violate('foreign containers are left alone', `${process.name} removes ${container.name}`);
    else if (!toRemove.has(container.instance))
      world.violate('absence is never deletion', `${process.name} removes ${container.name}, and no record ever said so`);
  };

  const removed = (machine: Machine, id: string): void => operation(machine.id, `container ${id.slice(-4)} is removed`);

  // ---------------------------------------------------------------------------------------------------------------- routing

  const routed = (process: Process, generation: Generation): void => {
    const { machine } = process;
    operation(machine.id, `balancer: ${generation.services.map(wordsOf).join(' ') || 'nothing'}`);
    for (const { endpoint, backends } of generation.services) {
      for (const { id, host, port } of backends) {
        if (!proven.has(`${id} ${host}:${port}`))
          world.violate(
            'a backend serves once it was ready',
            `${machine.id} sends requests for ${endpoint} to ${id} at ${host}:${port}`,
          );
      }
    }
    addresses(machine, 'a load balancer changed');
  };

  /** Whatever is served at an address must be the endpoint's own, in every generation that still takes requests. */
  const addresses = (changed: Machine, why: string): void => {
    const owners = new Map<string, Container>();
    for (const machine of world.machines) {
      if (!machine.powered) continue;
      for (const each of machine.engine.containers())
        if (each.address) owners.set(`${each.address.host}:${each.address.port}`, each);
    }
    for (const machine of world.machines) {
      for (const { services } of acceptingGenerations(machine)) {
        for (const { endpoint, backends } of services) {
          for (const { id, host, port } of backends) {
            const owner = owners.get(`${host}:${port}`);
            if (owner !== undefined && owner.instance !== id)
              world.violate(
                'no request reaches another instance',
                `${machine.id} sends requests for ${endpoint} (${id}) to ${owner.name} at ${host}:${port}; ${why} on ${changed.id}`,
              );
          }
        }
      }
    }
  };

  const storeFellBack = (before: StateView): void => {
    storeNumber += 1;
    const { instances } = clusterOf(world.store.view(''));
    // What was lost with its record is left alone by everybody, for good.
    for (const id of clusterOf(before).instances.keys()) if (!instances.has(id)) abandoned.add(id);
    // Of a container that came and went since, a store that went back knows nothing.
    const there = new Set(world.machines.flatMap((machine) => machine.engine.containers().map(({ id }) => nameOf(machine, id))));
    for (const [instance, container] of startedAs) if (!there.has(container)) startedAs.delete(instance);
    terms.storeFellBack();
    losses.storeFellBack();
  };

  return {
    committed,
    published,
    starting,
    started,
    removing,
    removed,
    vanished: (machine, id) => void handRemoved.add(nameOf(machine, id)),
    routed,
    answered: (container) => void proven.add(`${container.instance} ${container.address?.host}:${container.address?.port}`),
    isAbandoned: (instance) => abandoned.has(instance),
    looked: losses.looked,
    saw: terms.saw,
    asked: terms.asked,
    storeFellBack,
    get lastOperationMs() {
      return lastOperationMs;
    },
  };
}

/** Every engine counts its containers by itself. */
const nameOf = ({ id }: Machine, containerId: string): string => `${id} ${containerId}`;

/** The hash of containers that are not Reactor's. */
export const FOREIGN = 'foreign';

const wordsOf = ({ endpoint, backends }: Generation['services'][number]): string =>
  `${endpoint}[${backends.map(({ id }) => id).join(' ')}]`;

function told(record: InstanceRecord | null, former: InstanceRecord | null): string {
  if (record === null) return '';
  const replaces = record.replaces === null ? '' : ` in place of ${record.replaces}`;
  return former === null
    ? ` (${record.endpoint} on ${record.host}${replaces}, epoch ${record.epoch})`
    : ` (epoch ${record.epoch})`;
}

function endpointOf(key: string, was: Cluster, is: Cluster): string | null {
  const id = key.slice('instances/'.length);
  return (is.instances.get(id) ?? was.instances.get(id))?.value.endpoint ?? null;
}

const meant = (name: string, endpoint: EndpointRecord, cluster: Cluster): readonly InstanceRecord[] =>
  (cluster.instancesOf.get(name) ?? [])
    .map(({ value }) => value)
    .filter((record) => record.phase === 'run' && record.endpointUid === endpoint.uid);

/** Counted as the operator is promised: a successor shares the seat of the one it replaces. */
function seats(name: string, endpoint: EndpointRecord, cluster: Cluster): number {
  const running = meant(name, endpoint, cluster);
  const ids = new Set(running.map(({ id }) => id));
  return running.filter(({ replaces }) => replaces === null || !ids.has(replaces)).length;
}
