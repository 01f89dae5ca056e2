import {
  type Cluster,
  type EndpointConfig,
  type EndpointRecord,
  type EndpointTraffic,
  type Hold,
  type HostConfig,
  type HostRecord,
  type InstanceRecord,
  type InstanceReport,
  type InstanceWish,
  type Json,
  KEYS,
  type Plan,
  type PostedReport,
  plan,
  postedReports,
  publishedMetrics,
  readCluster,
  type StateEntry,
  type Step,
  type TrafficBucket,
  type TrafficReport,
} from '@reactor/core';

/**
 * A cluster on paper: the pure plan, run second by second against hosts that do as they are told. For tests of what is
 * decided over time; how it is carried out is tested on real hosts.
 */
export interface World {
  readonly nowMs: () => number;
  /** Requests per second that arrive at an endpoint from now on; `seconds` is the upstream time of each. */
  load(endpoint: string, perSecond: number, seconds?: number): void;
  /** What a program posts every second from now on, about the endpoint (null) or one of its backends; null posts no more. */
  post(endpoint: string, backend: string | null, values: PostedReport['values'] | null): void;
  /** Runs one round per second and returns their plans. */
  run(seconds: number): readonly Plan[];
  set(
    endpoint: string,
    change: {
      readonly config?: EndpointConfig;
      readonly hash?: string;
      readonly state?: EndpointRecord['state'];
      /** Null hands the count back to the rules. */
      readonly hold?: Hold | null;
    },
  ): void;
  /** Open connections to an instance, which keep it from being removed. */
  hold(instance: string, connections: number): void;
  report(instance: string, change: Partial<InstanceReport>): void;
  /** The operator's wish for a host; null wishes nothing. */
  wish(host: string, wish: HostConfig | null): void;
  /** What somebody wishes for an instance; null wishes nothing. */
  wishFor(instance: string, kind: InstanceWish['kind'] | null): void;
  loseHost(host: string): void;
  returnHost(host: HostRecord): void;
  /** From now on new instances of the endpoint never come up. */
  breakStarts(endpoint: string, broken: boolean): void;
  /** Only these hosts' traffic is heard from now on, whether they are live or lost. */
  hear(hosts: readonly string[]): void;
  /** The balancers' traffic is no longer heard. */
  mute(muted: boolean): void;
  /** A leader has just taken over, and keeps still for so long. */
  quiet(seconds: number): void;
  /** The host's load balancer takes nothing up from now on. */
  lag(host: string, lags: boolean): void;
  cluster(): Cluster;
  instances(endpoint: string, phase?: InstanceRecord['phase']): readonly InstanceRecord[];
  steps(plans: readonly Plan[], kind: Step['kind']): readonly Step[];
}

export interface WorldOptions {
  readonly endpoints: Readonly<Record<string, EndpointConfig>>;
  readonly hosts: readonly HostRecord[];
  /** From the record to the ready container. */
  readonly startSeconds?: number;
}

const START_MS = 1_700_000_000_000;
/** Long enough for any window in use. */
const REMEMBERED_SECONDS = 120;

export function createWorld(options: WorldOptions): World {
  let nowMs = START_MS;
  let [revision, ids, epoch, quietUntilMs] = [0, 0, 1, 0];
  let muted = false;
  const heard: { only: readonly string[] | null } = { only: null };
  const entries = new Map<string, StateEntry>();
  const configs = new Map(Object.entries(options.endpoints).map(([name, config]) => [name, { config, hash: 'hash-1' }]));
  const loads = new Map<string, { perSecond: number; seconds: number }>();
  const [seen, held] = [new Map<string, TrafficBucket[]>(), new Map<string, number>()];
  const posts = createPosts();
  const [broken, lagging] = [new Set<string>(), new Set<string>()];

  const put = (key: string, value: Json): void => {
    if (value === null) entries.delete(key);
    else entries.set(key, { value, revision });
  };
  const commit = (writes: readonly (readonly [key: string, value: unknown])[]): void => {
    if (writes.length === 0) return;
    revision += 1;
    for (const [key, value] of writes) put(key, value as Json);
  };
  const cluster = (): Cluster => readCluster({ clusterId: 'paper', revision, entries });
  const mainHost = (): string | undefined => [...cluster().hosts.keys()].sort()[0];

  const obey = (): void => {
    const now = cluster();
    const writes: [string, unknown][] = [];
    for (const { value: record } of now.instances.values()) {
      if (!now.hosts.has(record.host)) continue;
      const known = now.reports.get(record.id)?.value;
      const next = reportFor(record, known, nowMs, (options.startSeconds ?? 1) * 1000, broken.has(record.endpoint));
      if (JSON.stringify(next) !== JSON.stringify(known)) writes.push([KEYS.report(record.host, record.id), next]);
    }
    for (const { value: report } of now.reports.values()) {
      if (!now.instances.has(report.id)) writes.push([KEYS.report(report.host, report.id), null]);
    }
    commit(writes);
    serve();
  };

  const serve = (): void => {
    const now = cluster();
    const newest = Math.max(0, ...[...now.instances.values()].map((instance) => instance.revision));
    const writes = [...now.hosts.keys()]
      .filter((host) => !lagging.has(host))
      .map((host) => [KEYS.balancer(host), { host, revision: newest, serving: [], setAside: {}, error: null }] as const)
      .filter(([key, value]) => JSON.stringify(entries.get(key)?.value) !== JSON.stringify(value));
    commit(writes);
  };

  const observe = (): void => {
    const second = Math.floor(nowMs / 1000) - 1;
    for (const [name, { perSecond, seconds }] of loads) {
      const list = seen.get(name) ?? [];
      if (perSecond > 0)
        list.push({ second, requests: perSecond, bytes: 0, timed: perSecond, seconds: perSecond * seconds, errors: 0 });
      seen.set(
        name,
        list.filter((bucket) => bucket.second > second - REMEMBERED_SECONDS),
      );
    }
  };

  const traffic = (): ReadonlyMap<string, TrafficReport> => {
    const host = mainHost();
    if (muted || host === undefined) return new Map();
    const endpoints: Record<string, EndpointTraffic> = {};
    for (const name of configs.keys()) {
      const backends = Object.fromEntries([...held].map(([id, active]) => [id, { active, requests: 0, errors: 0, refused: 0 }]));
      endpoints[name] = { buckets: seen.get(name) ?? [], times: [], active: 0, backends };
    }
    const report = { atMs: nowMs, completeSinceMs: START_MS - 3_600_000, endpoints, badLines: 0, lagBytes: 0 };
    const speaking = heard.only ?? [...cluster().hosts.keys()];
    return new Map(speaking.map((id) => [id, id === host ? report : { ...report, endpoints: {} }]));
  };

  const round = (): Plan => {
    const made = plan({
      nowMs,
      epoch,
      quietUntilMs,
      cluster: cluster(),
      traffic: traffic(),
      posted: posts.reports(nowMs),
      resolve: (record) => configs.get(record.value.name) ?? { error: 'unknown' },
      random: () => 0,
      newId: () => {
        ids += 1;
        return `i${String(ids).padStart(4, '0')}`;
      },
    });
    commit(writesOf(made));
    return made;
  };

  const set: World['set'] = (name, change) => {
    const current = configs.get(name) ?? { config: options.endpoints[name]!, hash: 'hash-1' };
    configs.set(name, { config: change.config ?? current.config, hash: change.hash ?? current.hash });
    const before = entries.get(KEYS.endpoint(name))?.value as unknown as EndpointRecord | undefined;
    const hold = change.hold === undefined ? before?.hold : (change.hold ?? undefined);
    const record: EndpointRecord = {
      name,
      uid: before?.uid ?? `uid-${name}`,
      document: {},
      state: change.state ?? before?.state ?? 'RUNNING',
      changedAtMs: nowMs,
      ...(hold === undefined ? {} : { hold }),
    };
    commit([[KEYS.endpoint(name), record]]);
  };

  commit(options.hosts.map((host) => [KEYS.host(host.id), host]));
  for (const name of Object.keys(options.endpoints)) set(name, {});
  serve();

  return {
    nowMs: () => nowMs,
    load: (endpoint, perSecond, seconds = 0.01) => void loads.set(endpoint, { perSecond, seconds }),
    post: posts.post,
    run: (seconds) =>
      Array.from({ length: seconds }, () => {
        nowMs += 1_000;
        observe();
        obey();
        return round();
      }),
    set,
    hold: (instance, connections) => void held.set(instance, connections),
    report: (instance, change) => {
      const known = cluster().reports.get(instance)!.value;
      commit([[KEYS.report(known.host, instance), { ...known, ...change }]]);
    },
    wish: (host, wish) => commit([[KEYS.hostConfig(host), wish]]),
    wishFor: (instance, kind) => commit([[KEYS.wish(instance), kind && { kind, atMs: nowMs }]]),
    loseHost: (host) => commit([[KEYS.host(host), null]]),
    hear: (only) => void Object.assign(heard, { only }),
    returnHost: (host) => commit([[KEYS.host(host.id), host]]),
    breakStarts: (endpoint, yes) => void (yes ? broken.add(endpoint) : broken.delete(endpoint)),
    mute: (yes) => {
      muted = yes;
    },
    quiet: (seconds) => {
      epoch += 1;
      quietUntilMs = nowMs + seconds * 1_000;
    },
    lag: (host, yes) => void (yes ? lagging.add(host) : lagging.delete(host)),
    cluster,
    instances: (endpoint, phase) =>
      [...cluster().instances.values()]
        .map((i) => i.value)
        .filter((i) => i.endpoint === endpoint && (phase === undefined || i.phase === phase)),
    steps: (plans, kind) =>
      plans.flatMap((made) => made.endpoints.flatMap((one) => one.report.steps.filter((step) => step.kind === kind))),
  };
}

function writesOf(made: Plan): readonly (readonly [key: string, value: unknown])[] {
  const writes: [string, unknown][] = made.losses.map(({ host, loss }) => [KEYS.loss(host), loss]);
  for (const { keys } of made.removals) for (const { key } of keys) writes.push([key, null]);
  for (const one of made.endpoints) {
    for (const { id, record } of one.instances) writes.push([KEYS.instance(id), record]);
    if (one.history) writes.push([KEYS.history(one.endpoint.value.name), one.history]);
  }
  return writes;
}

/** Programs that post the same every second. */
function createPosts(): {
  readonly post: World['post'];
  readonly reports: (nowMs: number) => ReadonlyMap<string, readonly PostedReport[]>;
} {
  const posts = new Map<string, (nowMs: number) => ReturnType<typeof publishedMetrics>>();
  return {
    post: (endpoint, backend, values) => {
      const key = `${endpoint}/${backend ?? ''}`;
      if (values === null) posts.delete(key);
      else posts.set(key, (atMs) => publishedMetrics(endpoint, backend, { atMs, by: 'vm1', values }));
    },
    reports: (nowMs) => postedReports(new Map([...posts.values()].flatMap((one) => Object.entries(one(nowMs))))),
  };
}

/** A host that does as it is told: a container is ready `startMs` after its record, and gone as soon as it should be. */
function reportFor(
  record: InstanceRecord,
  known: InstanceReport | undefined,
  nowMs: number,
  startMs: number,
  broken: boolean,
): InstanceReport {
  const base = { id: record.id, endpoint: record.endpoint, host: record.host, marks: 0, error: null };
  const nothing = {
    containerId: null,
    startedAtMs: null,
    readyAtMs: known?.readyAtMs ?? null,
    address: null,
    wasReady: known?.wasReady ?? false,
  };
  if (record.phase === 'remove') return { ...base, ...nothing, state: 'gone' };
  // What a test said about an instance stays said.
  if (known && known.state !== 'starting') return known;
  if (broken) return { ...base, ...nothing, state: 'exited', error: 'its command failed (exit code 1)' };
  const ready = nowMs - record.createdAtMs >= startMs;
  return {
    ...base,
    containerId: `c-${record.id}`,
    startedAtMs: record.createdAtMs,
    readyAtMs: ready ? nowMs : null,
    address: { host: '10.77.0.11', port: 20_000 },
    wasReady: ready,
    state: ready ? 'ready' : 'starting',
  };
}
