import {
  type Clock,
  type Cluster,
  type Commit,
  type Container,
  type ContainerEngine,
  describeError,
  type ErrorCode,
  type InstanceRecord,
  type InstanceReport,
  type LogLevel,
  type Meter,
  ReactorError,
} from '@reactor/core';
import { type Health, watchHealth } from './health.js';
import { changedReports, rememberedHealth, reportOf } from './instance-report.js';
import { type LaunchOptions, launch } from './launch.js';
import type { PortPool } from './port-pool.js';
import type { Probe } from './probe.js';
import { forget, stopWatching, type Tracked, trackedOf } from './tracked-instance.js';
import { createTurnstile } from './turnstile.js';

/**
 * The instances of one host: for every record placed here it brings the container to what is meant, and says what is.
 * It does not decide how many there are, nor where.
 *
 * 1. A container is stopped only on a record that says `remove`; the absence of a record never stops anything.
 * 2. A container found with the label of an instance is that instance, whoever started it (adoption).
 * 3. A view that is not admitted (fence.ts) starts and stops nothing and deletes no report; what is, is still said.
 * 4. What a former daemon knew of the very same container (id and start time) still holds, so a restart changes nothing.
 */
export interface InstancesOptions {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly host: string;
  readonly address: string;
  readonly apiUrl: string;
  readonly linked: LaunchOptions['linked'];
  readonly newToken: () => string;
  readonly ports: PortPool;
  /** How many containers may be created and started at the same time. */
  readonly startLimit: number;
  readonly meter: Meter;
  /** Default: over the network. */
  readonly probe?: Probe | undefined;
  readonly log: (level: LogLevel, message: string) => void;
  /** Whether the load balancer has used an instance up. */
  readonly isSpent?: ((instance: string) => boolean) | undefined;
  /** Connect errors in a row that this host's load balancers have had with an instance. */
  readonly refusals?: ((instance: string) => number) | undefined;
  /** A line of an endpoint's own log. */
  readonly tell: (endpoint: string, level: LogLevel, event: string, message: string) => void;
  /** Something changed that a report should say soon; of containers, Docker has to be asked for them anew. */
  readonly wake: (what: 'containers' | 'health') => void;
  readonly signal: AbortSignal;
}

export interface Instances {
  /** Acts on what is meant, if that is admitted, and returns the commit that reports what is; null when nothing changed. */
  reconcile(cluster: Cluster, containers: readonly Container[], admitted: boolean): Commit | null;
}

/** A Docker, or a disk, that does not answer now may answer in a second; asking faster only adds to its load. */
const PASSING: readonly ErrorCode[] = ['docker_unavailable', 'mark_unreadable'];
const TASK_RETRY_MS = 1_000;

export function createInstances(options: InstancesOptions): Instances {
  const { clock, host, engine, log, tell, meter } = options;
  const tracked = new Map<string, Tracked>();
  const turnstile = createTurnstile(options.startLimit);
  const orphans = new Set<string>();
  /** One for each start under way: any number of them is one listener of the agent's own signal. */
  const launching = new Set<AbortController>();
  let listed: readonly Container[] = [];

  const portsInUse = (): ReadonlySet<number> => {
    const ports = new Set<number>();
    for (const container of listed) if (container.address) ports.add(container.address.port);
    for (const one of tracked.values()) if (one.hostPort !== null) ports.add(one.hostPort);
    return ports;
  };
  // A port handed to a start that is under way is not in any listing yet.
  const takePort = (one: Tracked): PortPool => ({
    take: (inUse) => {
      one.hostPort = options.ports.take(inUse);
      return one.hostPort;
    },
  });

  /** Runs one task of an instance; a retryable failure of Docker is tried again, until the start timeout for a start. */
  const run = async (
    one: Tracked,
    task: 'pulling' | 'removing',
    work: () => Promise<void>,
    failed: (error: unknown) => void,
  ): Promise<void> => {
    one.task = task;
    try {
      await work();
    } catch (error) {
      one.retryAtMs = clock.monotonic() + TASK_RETRY_MS;
      if (error instanceof ReactorError) meter.add('reactor_docker_errors_total', { code: error.code });
      failed(error);
    } finally {
      one.task = null;
      one.hostPort = null;
      options.wake('containers');
    }
  };

  const begin = (record: InstanceRecord, one: Tracked): void => {
    const giveUp = (error: unknown): void => {
      const passing = error instanceof ReactorError && PASSING.includes(error.code);
      if (passing && clock.now() - record.createdAtMs < record.startTimeoutMs) return;
      one.startFailure = describeError(error);
      meter.add('reactor_start_failures_total', { endpoint: record.endpoint });
      tell(record.endpoint, 'error', 'LAUNCH_FAILURE', `${record.id} on ${host} could not be started: ${one.startFailure}`);
    };
    const stop = new AbortController();
    const work = async (): Promise<void> => {
      launching.add(stop);
      const container = await launch(record, {
        engine,
        ports: takePort(one),
        portsInUse,
        address: options.address,
        apiUrl: options.apiUrl,
        linked: options.linked,
        newToken: options.newToken,
        signal: stop.signal,
        progress: (line) => tell(record.endpoint, 'info', 'IMAGE_PULL', `${record.container.image}: ${line}`),
        starting: async () => {
          const leave = await turnstile.enter();
          one.task = 'starting';
          return leave;
        },
      }).finally(() => launching.delete(stop));
      // What the start answered is as good as the next listing, and its check need not wait for that.
      if (container.status === 'running') watch(record, container, null, one);
    };
    void run(one, 'pulling', work, giveUp);
  };

  const end = (record: InstanceRecord, container: Container, one: Tracked): void => {
    stopWatching(one);
    const work = async (): Promise<void> => {
      await engine.remove(container.id, record.stopTimeoutMs);
      if (one.removed === container.id) return;
      one.removed = container.id;
      tell(record.endpoint, 'info', 'CLEAN_INSTANCE', `${record.id} on ${host} is gone`);
    };
    const failed = (error: unknown): void =>
      tell(record.endpoint, 'error', 'DELETE_FAILURE', `${record.id} on ${host} could not be removed: ${describeError(error)}`);
    void run(one, 'removing', work, failed);
  };

  const watch = (record: InstanceRecord, container: Container, known: InstanceReport | null, one: Tracked): void => {
    const key = `${container.id} ${container.startedAtMs} ${container.address?.port}`;
    if (one.watching?.key === key) return;
    stopWatching(one);
    const stop = new AbortController();
    one.health = rememberedHealth(known, container);
    const changed = (health: Health): void => {
      if (health.wasReady && !one.health.wasReady) tellReady(record, container, health);
      else if (health.failed && !one.health.failed) tellFailed(record, health);
      else if (health.ready && one.health.failed)
        tell(record.endpoint, 'info', 'RECOVERED_INSTANCE', `${record.id} on ${host} passes its check again`);
      one.health = health;
      options.wake('health');
    };
    const { fail, ended } = watchHealth({
      check: record.healthCheck,
      target: container.address,
      startTimeoutMs: record.startTimeoutMs,
      errorMarks: record.errorMarks,
      initial: one.health,
      probe: options.probe,
      clock,
      signal: stop.signal,
      changed,
    });
    one.watching = { key, stop, fail };
    ended.catch((error) => log('error', `health check of ${record.id} ended: ${describeError(error)}`));
  };

  const tellReady = (record: InstanceRecord, container: Container, health: Health): void => {
    const tookMs = (health.readyAtMs ?? clock.now()) - record.createdAtMs;
    meter.observe('reactor_start_seconds', { endpoint: record.endpoint }, tookMs / 1000);
    const at = container.address ? ` at ${container.address.host}:${container.address.port}` : '';
    tell(
      record.endpoint,
      'info',
      'LAUNCH_SUCCESS',
      `${record.id} on ${host} is ready${at} after ${(tookMs / 1000).toFixed(2)} s`,
    );
  };
  const tellFailed = (record: InstanceRecord, health: Health): void => {
    if (!health.wasReady) meter.add('reactor_start_failures_total', { endpoint: record.endpoint });
    tell(record.endpoint, 'warning', 'UNHEALTHY_INSTANCE', `${record.id} on ${host}: ${health.error}`);
  };

  const act = (
    record: InstanceRecord,
    container: Container | null,
    known: InstanceReport | null,
    one: Tracked,
    admitted: boolean,
  ): void => {
    if (one.task !== null || options.signal.aborted) return;
    const due = admitted && clock.monotonic() >= one.retryAtMs;
    if (record.phase === 'remove') {
      if (container !== null && due) end(record, container, one);
    } else if (container?.status === 'running') {
      watch(record, container, known, one);
    } else {
      stopWatching(one);
      const fresh =
        container === null
          ? known === null || (known.containerId === null && known.state !== 'gone')
          : container.status === 'created';
      if (record.phase === 'run' && fresh && due && one.startFailure === null && known?.state !== 'exited') begin(record, one);
    }
  };

  const noteOrphans = (cluster: Cluster, containers: readonly Container[]): void => {
    for (const { id, name, instance } of containers) {
      if (cluster.instances.has(instance) || orphans.has(id)) continue;
      orphans.add(id);
      log(
        'warning',
        `container ${name} belongs to no known instance; it is left alone (docker rm -f ${id.slice(0, 12)} removes it)`,
      );
    }
  };

  const endAll = (): void => {
    tracked.forEach(stopWatching);
    for (const stop of launching) stop.abort();
  };
  options.signal.addEventListener('abort', endAll, { once: true });

  const reconcile = (cluster: Cluster, containers: readonly Container[], admitted: boolean): Commit | null => {
    listed = containers;
    const byInstance = new Map(containers.map((container) => [container.instance, container]));
    const reports: InstanceReport[] = [];
    const mine = [...cluster.instances.values()].map((i) => i.value).filter((record) => record.host === host);
    for (const record of mine) {
      const one = trackedOf(tracked, record.id);
      const container = byInstance.get(record.id) ?? null;
      const known = cluster.reports.get(record.id)?.value ?? null;
      act(record, container, known, one, admitted);
      const refused = options.refusals?.(record.id) ?? 0;
      if (one.refusals.failsWith(refused))
        one.watching?.fail(`the load balancer of ${host} could not connect ${refused} times in a row`);
      const { health, task, startFailure } = one;
      const spent = options.isSpent?.(record.id) ?? false;
      reports.push(reportOf({ record, container, known, health, task, startFailure, spent }));
    }
    if (admitted) for (const [id, one] of tracked) if (!cluster.instances.has(id)) forget(tracked, id, one);
    noteOrphans(cluster, containers);
    return changedReports(cluster, host, reports, admitted);
  };

  return { reconcile };
}
