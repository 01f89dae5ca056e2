import {
  type At,
  type BalancerKind,
  type Clock,
  type Cluster,
  type ContainerEngine,
  createClusterReader,
  createDiary,
  type EndpointConfig,
  type EndpointRecord,
  endpointTeller,
  type LoadBalancer,
  type LogLevel,
  type Loop,
  type MarkKeeper,
  type Meter,
  type PortKeeper,
  refusingBackends,
  type StateStore,
  type StateView,
  spentBackends,
  startLoop,
} from '@reactor/core';
import { createAdvertisement, type HostOffer } from './advertisement.js';
import { createBalancing } from './balancing.js';
import { createClientSessions } from './client-sessions.js';
import { createComplaints } from './complaints.js';
import { createListing } from './container-listing.js';
import { createFence, type Fence } from './fence.js';
import { createInstances } from './instances.js';
import type { Connections } from './kernel-connections.js';
import { createLinked } from './links.js';
import { createPortPool } from './port-pool.js';
import type { Probe } from './probe.js';
import { createReachability } from './reachability.js';
import { servicesOf } from './services.js';
import { createSeverance } from './severance.js';
import { createSurgeDetector } from './surge.js';
import { createTrafficPublication } from './traffic-publication.js';

/**
 * The host agent: advertises the host, runs the instances placed on it, owns its load balancer and publishes what that
 * saw. It never decides. Five loops, each level-triggered, so that none waits for another:
 *
 *     advertisement   the host's record and its lease
 *     instances       containers as meant, reports of what is
 *     balancing       the load balancer's backends, and which it has taken up
 *     traffic         what the load balancer saw, published
 *     severance       connections to machines that have died
 */
export interface AgentOptions {
  readonly store: StateStore;
  readonly engine: ContainerEngine;
  readonly balancer: LoadBalancer;
  /** Those whose programs are here now. */
  readonly balancers?: (() => readonly BalancerKind[]) | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  /** How containers are checked; default: over the network. */
  readonly probe?: Probe | undefined;
  /** This machine's, to end those to machines that have died; without, they end by themselves. */
  readonly connections?: Connections | undefined;
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
  readonly resolve: (record: At<EndpointRecord>) => EndpointConfig | null;
  readonly host: string;
  readonly name: string;
  readonly address: string;
  /** What instances are told. */
  readonly apiUrl: string;
  /** What other hosts' daemons are told; null while the API listens on loopback only. */
  readonly advertisedUrl: string | null;
  readonly slots: number;
  readonly overcommit: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly offer?: (() => HostOffer) | undefined;
  /** For what an instance shows to the API: 256 random bits as text. */
  readonly newToken: () => string;
  readonly portRange: { readonly first: number; readonly last: number };
  readonly startLimit: number;
  /** The load of this host has just jumped: a reason to decide now rather than at the next round. */
  readonly surge: () => void;
  readonly version: string;
  readonly marks: MarkKeeper;
  readonly portsHandedOut: PortKeeper;
}

export interface Agent {
  /** What keeps this host from doing its work, for /readyz; empty when nothing does. */
  problems(): readonly string[];
  /** Ends the loops. Containers and the load balancer go on. */
  stop(): Promise<void>;
}

const INTERVAL_MS = 1_000;
/** Changes come in bursts; one round answers them together. Short, for it is part of every start's latency. */
const MIN_GAP_MS = 4;
const TRAFFIC_EVERY_MS = 250;
const WATCH_RETRY_MS = 1_000;

export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { store, engine, balancer, clock, log, meter, host } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const diary = createDiary(store, clock, log);
  const tell = endpointTeller(diary);
  const complaints = createComplaints(log);

  const fence = createFence(options.marks);
  const instances = createInstances({
    ...options,
    linked: createLinked(async () => (await sight.see()).cluster, options.resolve, tell),
    ports: createPortPool(options.portRange, options.random(), options.portsHandedOut),
    tell,
    isSpent: (instance) => spent.has(instance),
    refusals: (instance) => refusing.get(instance) ?? 0,
    wake: (what) => (what === 'containers' ? wakeInstances() : loops.instances.wake()),
    signal,
  });
  const balancing = createBalancing({
    ...options,
    tell,
    servicesOf: (cluster, unreachable) => servicesOf(cluster, options.resolve, host, unreachable),
  });
  const reachability = createReachability({
    clock,
    probe: options.probe,
    host,
    changed: (instance, problem) => {
      const how = problem === null ? 'answers this host again' : `does not answer this host: ${problem}`;
      log('warning', `instance ${instance}, whose host is lost, ${how}`);
      loops.balancing.wake();
      const address = sight.last()?.cluster.reports.get(instance)?.value.address;
      if (problem !== null && address) void severance?.sever(address);
    },
    signal,
  });
  const { connections } = options;
  const severance = connections === undefined ? null : createSeverance({ ...options, connections });
  const surges = createSurgeDetector();
  const sessions = createClientSessions({ store, clock, host, balancer, tell });
  let spent: ReadonlySet<string> = new Set();
  let refusing: ReadonlyMap<string, number> = new Map();
  const sight = createSight(store, clock, fence, (problem) => {
    if (problem === null) log('info', 'the cluster state is followed again');
    else log('error', problem);
  });
  const list = createListing(engine, clock);
  const stored = () => {
    const last = sight.last();
    return last === null ? null : { record: last.cluster.hosts.get(host)?.value ?? null, askedAtMs: last.askedAtMs };
  };
  const advertisement = createAdvertisement({ ...options, epochSeen: fence.mark, stored });

  const instancesRound = async (): Promise<void> => {
    const { cluster, admitted } = await sight.see();
    // Last, for what is older than the end of a start would have it started again.
    const change = instances.reconcile(cluster, await list.containers(), admitted);
    if (change !== null) await store.commit(change);
    complaints.settle('instances');
  };
  let opened = false;
  const balancingRound = async (): Promise<void> => {
    // Adopted before it is changed; tried again at every round while it cannot be had.
    if (!opened) await balancer.open();
    opened = true;
    const { cluster, admitted } = await sight.see();
    // What it serves it goes on serving.
    if (admitted) await balancing.round(cluster, reachability.unreachable(cluster));
    if (admitted) await sessions.obey(cluster);
    complaints.settle('balancing');
  };
  const publish = createTrafficPublication(store, host);
  const trafficRound = async (): Promise<void> => {
    if (!opened) return;
    const report = await balancer.traffic(clock.now());
    meter.set('reactor_log_lag_bytes', {}, report.lagBytes);
    await publish(report);
    if (surges.jumped(report)) options.surge();
    const now = { spent: spentBackends(report), refusing: refusingBackends(report) };
    const isNews =
      [...now.spent].some((instance) => !spent.has(instance)) ||
      [...now.refusing].some(([instance, times]) => times > (refusing.get(instance) ?? 0));
    ({ spent, refusing } = now);
    if (isNews) loops.instances.wake();
    await sessions.publish();
    complaints.settle('traffic');
  };
  const advertisementRound = async (): Promise<void> => {
    await advertisement.round();
    complaints.settle('advertisement');
  };
  const severanceRound = async (): Promise<void> => {
    const cluster = sight.last()?.cluster ?? null;
    if (cluster !== null) await severance?.round(cluster);
    complaints.settle('severance');
  };

  const loop = (name: string, intervalMs: number, round: () => Promise<void>): Loop =>
    startLoop({ clock, signal, intervalMs, minGapMs: MIN_GAP_MS, round, failed: (error) => complaints.raise(name, error) });

  // The host is known before anybody judges its instances.
  await advertisement.round();
  const loops = {
    advertisement: loop('advertisement', INTERVAL_MS, advertisementRound),
    instances: loop('instances', INTERVAL_MS, instancesRound),
    balancing: loop('balancing', INTERVAL_MS, balancingRound),
    traffic: loop('traffic', TRAFFIC_EVERY_MS, trafficRound),
    ...(severance === null ? {} : { severance: loop('severance', INTERVAL_MS, severanceRound) }),
  };
  function wakeInstances(): void {
    list.expire();
    loops.instances.wake();
  }

  const watchState = async (): Promise<void> => {
    const { revision } = (await sight.see()).cluster;
    for await (const event of store.watch('', revision, signal)) {
      const all = event.kind === 'resync';
      if (all || event.changes.some(({ key }) => key.startsWith('instances/'))) loops.instances.wake();
      if (all || event.changes.some(({ key }) => /^(instances|reports|endpoints|hosts|kills)\//.test(key)))
        loops.balancing.wake();
    }
  };
  const watchDocker = async (): Promise<void> => {
    for await (const _changed of engine.events(signal)) wakeInstances();
  };
  const watching = [watchState, watchDocker].map(async (follow) => {
    while (!signal.aborted) {
      await follow().catch((error) => complaints.raise('watch', error));
      await clock.sleep(WATCH_RETRY_MS, signal);
    }
  });

  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.all([...Object.values(loops).map((each) => each.done), ...watching]);
    await diary.written();
    await balancer.close();
    await advertisement.withdraw().catch(() => undefined);
  };
  const problems = (): readonly string[] => [
    ...complaints.open(),
    ...(fence.problem() === null ? [] : [`fence: ${fence.problem()}`]),
    ...(balancing.problem() ? [`load balancer: ${balancing.problem()}`] : []),
  ];
  return { problems, stop };
}

interface Sight {
  readonly cluster: Cluster;
  /** Whether it may be acted on. */
  readonly admitted: boolean;
}

interface Seen {
  readonly cluster: Cluster;
  /** By the monotonic clock. */
  readonly askedAtMs: number;
}

/**
 * The cluster as of now and whether it may be acted on; grouping it anew is spared while nothing has moved. One look after
 * the other, so that a slow answer from before a new term is never taken for a state that fell back.
 */
function createSight(
  store: StateStore,
  clock: Clock,
  fence: Fence,
  changed: (problem: string | null) => void,
): { see(): Promise<Sight>; last(): Seen | null } {
  let view: StateView | undefined;
  let cluster: Cluster | undefined;
  let seen: Seen | null = null;
  const group = createClusterReader();
  let last: Promise<unknown> = Promise.resolve();
  const look = async (): Promise<Sight> => {
    const askedAtMs = clock.monotonic();
    const next = await store.read('', view);
    if (next !== view || cluster === undefined) cluster = group(next);
    view = next;
    seen = { cluster, askedAtMs };
    const before = fence.problem();
    const admitted = fence.admits(cluster);
    if (fence.problem() !== before) changed(fence.problem());
    return { cluster, admitted };
  };
  const see = (): Promise<Sight> => {
    const sight = last.then(look, look);
    last = sight;
    return sight;
  };
  return { see, last: () => seen };
}
