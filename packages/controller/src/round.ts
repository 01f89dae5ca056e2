import {
  type Clock,
  type Cluster,
  type Commit,
  createClusterReader,
  type Diary,
  type EndpointHistory,
  type EndpointPlan,
  endpointNotices,
  hostNotices,
  type Json,
  KEYS,
  LOGS,
  type LogLevel,
  type Meter,
  type NoticeDraft,
  noticeWrites,
  type Plan,
  type PlanInput,
  packDecision,
  plan,
  postedReports,
  type ReasonKind,
  type StateStore,
  type StateView,
  shownName,
  TOPICS,
  trafficOfHosts,
} from '@reactor/core';
import type { Alarms } from './alarms.js';
import { type Leadership, outrankedBy, supersededBy } from './leadership.js';
import type { Muster } from './muster.js';

/** One round: observe, plan, commit. Everything is read anew; the only memory is what saves work. */

export interface RoundOptions {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
  readonly resolve: PlanInput['resolve'];
  readonly random: () => number;
  readonly newId: () => string;
  readonly alarms: Alarms;
  /** Told of every plan that was made while leading. */
  readonly planned?: (made: Plan) => void;
  /** Whether anybody is to be told of what happens. */
  readonly notifies?: boolean;
  readonly diary: Pick<Diary, 'tell'>;
  readonly muster: Pick<Muster, 'note'>;
}

/** `abandoned`: the term ended meanwhile. `outranked`: it cannot go on, a higher epoch has to be taken. Both commit nothing from then on. */
export type RoundResult = 'planned' | 'idle' | 'conflict' | 'abandoned' | 'outranked';

/** Decisions outlive a few missed rounds, so that `explain` has an answer while a new leader takes over. */
const DECISION_TTL_MS = 60_000;
/** An unchanged decision is published again only now and then: its numbers are the same. */
const REPUBLISH_MS = 5_000;

export function createRound(options: RoundOptions): (leadership: Leadership) => Promise<RoundResult> {
  const { store, clock, meter, log, diary, muster } = options;
  let seen: { readonly view: StateView; readonly cluster: Cluster } | undefined;
  const group = createClusterReader();
  const published = new Map<string, { readonly atMs: number; readonly text: string }>();
  const complained = new Map<string, string>();
  const shadowed = new Set<string>();

  const publish = async (made: Plan): Promise<void> => {
    const fresh: Record<string, Json> = {};
    for (const { endpoint, report } of made.endpoints) {
      const { name } = endpoint.value;
      const text = JSON.stringify([report.record.sentence, report.record.target, report.steps, report.shadow]);
      const last = published.get(name);
      if (last && last.text === text && report.atMs - last.atMs < REPUBLISH_MS) continue;
      published.set(name, { atMs: report.atMs, text });
      fresh[TOPICS.decision(name)] = report as unknown as Json;
    }
    if (Object.keys(fresh).length > 0) await store.publish(fresh, DECISION_TTL_MS);
  };

  const complain = (made: Plan): void => {
    for (const { endpoint, error } of made.unusable) {
      if (complained.get(endpoint) === error) continue;
      complained.set(endpoint, error);
      const text = `its stored configuration cannot be used: ${error}`;
      log('error', `endpoint ${endpoint}: ${text}`);
      diary.tell(LOGS.endpoint(endpoint), 'error', 'UPDATE_ERROR', text);
    }
  };

  /** The cluster as of now; grouping it anew is spared while nothing has moved. */
  const see = async (): Promise<Cluster> => {
    const view = await store.read('', seen?.view);
    if (seen?.view !== view) seen = { view, cluster: group(view) };
    return seen.cluster;
  };

  const noted = (drafts: readonly NoticeDraft[], nowMs: number): Commit['write'] =>
    options.notifies ? noticeWrites(drafts, nowMs, options.newId) : [];
  const noticesOf = (planned: EndpointPlan, cluster: Cluster, nowMs: number): Commit['write'] => {
    const { name } = planned.endpoint.value;
    const before = (cluster.histories.get(name)?.value ?? null) as unknown as EndpointHistory | null;
    return noted(endpointNotices(planned, shownName(cluster, name), before), nowMs);
  };

  return async (leadership) => {
    const cluster = await see();
    const hosts = [...cluster.hosts.values()].map(({ value }) => value);
    const outranked = supersededBy(leadership, cluster.leader?.value ?? null) ?? outrankedBy(leadership, hosts);
    if (outranked !== null) {
      log('warning', outranked);
      return 'outranked';
    }
    muster.note(cluster);
    const published = await store.latest(TOPICS.traffic);
    const [traffic, posted] = [trafficOfHosts(published), postedReports(published)];
    const nowMs = clock.now();
    const { epoch, quietUntilMs } = leadership;
    const made = plan({ ...options, nowMs, epoch, quietUntilMs, cluster, traffic, posted });
    if (!leadership.holds()) return 'abandoned';
    options.alarms.settle(made.alarms);
    options.planned?.(made);
    complain(made);
    await publish(made);

    const commits = [
      ...made.endpoints.flatMap((p) => endpointCommit(p, leadership, cluster, noticesOf(p, cluster, nowMs))),
      ...lossCommit(made, leadership, noted(hostNotices(made), nowMs)),
      ...removalCommits(made, leadership),
    ];
    let conflicts = 0;
    for (const { commit, endpoint } of commits) {
      if (!leadership.holds()) return 'abandoned';
      const result = await store.commit(commit);
      // Somebody wrote in between: this endpoint's plan is void, the next round makes another.
      if (result.kind === 'conflict') conflicts += 1;
      else if (endpoint) await tell(endpoint, store, meter, nowMs);
    }
    gauge(made, meter, shadowed);
    if (conflicts > 0) return 'conflict';
    return commits.length === 0 ? 'idle' : 'planned';
  };
}

interface Intent {
  readonly commit: Commit;
  readonly endpoint: EndpointPlan | null;
}

/** One commit per endpoint, so that a conflict over one does not hold up another. It holds only while we lead and the configuration is the planned one. */
function endpointCommit(
  planned: EndpointPlan,
  leadership: Leadership,
  { histories, wishes }: Cluster,
  notices: Commit['write'],
): Intent[] {
  const { endpoint, instances, history } = planned;
  if (instances.length === 0 && history === null) return [];
  const { name } = endpoint.value;
  const historyWrite = history === null ? [] : [{ key: KEYS.history(name), value: history as unknown as Json }];
  const commit: Commit = {
    expect: [
      { key: KEYS.leader, revision: leadership.revision },
      { key: KEYS.endpoint(name), revision: endpoint.revision },
      { key: KEYS.history(name), revision: histories.get(name)?.revision ?? 0 },
      ...instances.map(({ id, revision }) => ({ key: KEYS.instance(id), revision })),
    ],
    write: [
      ...instances.map(({ id, record }) => ({ key: KEYS.instance(id), value: record as unknown as Json })),
      // Nobody is left whom they concern.
      ...instances
        .filter(({ id, record }) => record === null && wishes.has(id))
        .map(({ id }) => ({ key: KEYS.wish(id), value: null })),
      ...historyWrite,
      ...notices,
    ],
  };
  return [{ commit, endpoint: planned }];
}

function lossCommit(made: Plan, leadership: Leadership, notices: Commit['write']): Intent[] {
  if (made.losses.length === 0) return [];
  const commit: Commit = {
    expect: [
      { key: KEYS.leader, revision: leadership.revision },
      ...made.losses.map(({ host, revision }) => ({ key: KEYS.loss(host), revision })),
    ],
    write: [...made.losses.map(({ host, loss }) => ({ key: KEYS.loss(host), value: loss as unknown as Json })), ...notices],
  };
  return [{ commit, endpoint: null }];
}

/** One commit per host, which holds only while the host is as away, or as back, as it was planned for. */
function removalCommits(made: Plan, leadership: Leadership): Intent[] {
  return made.removals.map(({ host, revision, keys }) => ({
    commit: {
      expect: [{ key: KEYS.leader, revision: leadership.revision }, { key: KEYS.host(host), revision }, ...keys],
      write: keys.map(({ key }) => ({ key, value: null })),
    },
    endpoint: null,
  }));
}

async function tell(planned: EndpointPlan, store: StateStore, meter: Meter, nowMs: number): Promise<void> {
  const { name: endpoint } = planned.endpoint.value;
  if (planned.events.length > 0) {
    await store.append(
      LOGS.endpoint(endpoint),
      planned.events.map((event) => ({ atMs: nowMs, ...event })),
    );
  }
  if (planned.changed) await store.append(LOGS.decisions, [packDecision(planned.report)]);
  const { record, steps } = planned.report;
  if (planned.events.some((event) => event.event === 'SCALE_UPDATE')) {
    meter.add('reactor_decisions_total', { endpoint, direction: record.target > record.instances ? 'up' : 'down' });
  }
  for (const step of steps) {
    if (step.kind !== 'wait') meter.add('reactor_scale_events_total', { endpoint, step: step.kind });
  }
  for (const { record: written } of planned.instances) {
    if (written?.phase === 'remove' && written.drainedAtMs !== null) {
      meter.observe('reactor_drain_seconds', { endpoint }, (nowMs - written.drainedAtMs) / 1000);
    }
  }
}

/** What keeps rules from having their way until somebody does something about it. */
const LIMITS: readonly ReasonKind[] = ['max', 'no_data'];

/** `shadowed`: endpoints with a candidate in an earlier round, whose figure has to end. */
function gauge(made: Plan, meter: Meter, shadowed: Set<string>): void {
  for (const { endpoint, report } of made.endpoints) {
    const { name } = endpoint.value;
    if (report.shadow !== undefined) shadowed.add(name);
    if (shadowed.has(name)) meter.set('reactor_endpoint_shadow_target', { endpoint: name }, report.shadow?.target ?? Number.NaN);
    if (report.shadow === undefined) shadowed.delete(name);
    meter.set('reactor_target_instances', { endpoint: name }, report.record.target);
    const { dropped = {} } = report.record.inputs.stable;
    meter.set('reactor_metrics_dropped', { endpoint: name }, Object.keys(dropped).length);
    for (const by of LIMITS) meter.set('reactor_limited', { endpoint: name, by }, report.record.kinds.includes(by) ? 1 : 0);
  }
}
