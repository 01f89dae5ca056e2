import {
  type ApplyReport,
  type At,
  type BalancerRecord,
  type Clock,
  type Cluster,
  describeError,
  type InstanceRecord,
  type Json,
  KEYS,
  type LoadBalancer,
  type LogLevel,
  ReactorError,
  type Service,
  type StateStore,
} from '@reactor/core';

/**
 * Keeps the host's load balancer at what the cluster state says should be served, and says what it has taken up. The
 * record's revision means: the newest drain this load balancer has seen and obeyed has at most that revision. So the record
 * need not list who is served: it stays small, and an instance that starts costs no write of every host.
 */
export interface BalancingOptions {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly host: string;
  readonly balancer: LoadBalancer;
  readonly log: (level: LogLevel, message: string) => void;
  readonly tell: (endpoint: string, level: LogLevel, event: string, message: string) => void;
  readonly servicesOf: (cluster: Cluster, unreachable: ReadonlySet<string>) => readonly Service[];
}

/** Nothing changed in the state, but a file may have been tampered with, and a name may have another address by now. */
const LOOK_AGAIN_MS = 10_000;

export interface Balancing {
  /** `unreachable`: instances of lost hosts that do not answer this host. */
  round(cluster: Cluster, unreachable: ReadonlySet<string>): Promise<void>;
  /** Null while the load balancer takes changes up. */
  problem(): string | null;
}

export function createBalancing(options: BalancingOptions): Balancing {
  const { store, host, balancer, log, tell } = options;
  let problem: string | null = null;
  const aside = new Map<string, string>();
  let settled: { readonly revision: number; readonly unreachable: string; readonly atMs: number } | null = null;

  const settle = (text: string | null): void => {
    if (text === null && problem !== null) log('info', 'the load balancer takes changes up again');
    if (text !== null && text !== problem) log('error', `load balancer: ${text}; it goes on with its last good configuration`);
    problem = text;
  };

  const apply = async (services: readonly Service[]): Promise<ApplyReport | null> => {
    try {
      const report = await balancer.apply(services);
      settle(report.failed?.problem ?? null);
      return report;
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      settle(describeError(error));
      return null;
    }
  };

  const tellAside = (setAside: Readonly<Record<string, string>>): void => {
    for (const [endpoint, reason] of Object.entries(setAside)) {
      if (aside.get(endpoint) !== reason) tell(endpoint, 'error', 'BALANCER_REFUSED', `not served on ${host}: ${reason}`);
      aside.set(endpoint, reason);
    }
    for (const endpoint of [...aside.keys()]) {
      if (endpoint in setAside) continue;
      aside.delete(endpoint);
      tell(endpoint, 'info', 'RELOADED', `served on ${host} again`);
    }
  };

  const round = async (cluster: Cluster, unreachable: ReadonlySet<string>): Promise<void> => {
    const atMs = options.clock.monotonic();
    const seen = { revision: cluster.revision, unreachable: [...unreachable].sort().join(' ') };
    const same = settled?.revision === seen.revision && settled.unreachable === seen.unreachable;
    if (same && atMs - settled!.atMs < LOOK_AGAIN_MS) return;
    const services = options.servicesOf(cluster, unreachable);
    const report = await apply(services);
    if (report !== null) tellAside(report.setAside);
    const before = cluster.balancers.get(host)?.value ?? null;
    const next = report === null ? refused(host, before, problem) : accepted(cluster, host, report, before);
    if (needsWriting(before, next, cluster)) {
      await store.commit({ expect: [], write: [{ key: KEYS.balancer(host), value: next as unknown as Json }] });
    }
    settled = problem === null && aside.size === 0 ? { ...seen, atMs } : null;
  };

  return { round, problem: () => problem };
}

/** A load balancer lists nobody who is to go, once it has taken up that they are; one that failed may still serve its own. */
function accepted(cluster: Cluster, host: string, report: ApplyReport, before: BalancerRecord | null): BalancerRecord {
  const held = report.failed?.endpoints ?? [];
  const serving = held
    .flatMap((endpoint) => cluster.instancesOf.get(endpoint) ?? [])
    .filter((instance) => instance.value.phase !== 'run' && !wasTakenOut(instance, before))
    .map((instance) => instance.value.id)
    .sort();
  return { host, revision: newestIntent(cluster), serving, setAside: report.setAside, error: report.failed?.problem ?? null };
}

function wasTakenOut(instance: At<InstanceRecord>, before: BalancerRecord | null): boolean {
  return before !== null && before.revision >= instance.revision && !before.serving.includes(instance.value.id);
}

/** What was served is still served: nothing has been taken up. */
function refused(host: string, before: BalancerRecord | null, error: string | null): BalancerRecord {
  return before === null ? { host, revision: 0, serving: [], setAside: {}, error } : { ...before, error };
}

/** The newest revision among the instances' records: other writes (reports, decisions, this very record) do not concern it. */
function newestIntent(cluster: Cluster): number {
  let newest = 0;
  for (const instance of cluster.instances.values()) newest = Math.max(newest, instance.revision);
  return newest;
}

/** A newer revision alone is worth a write only while the controller waits for it, so that an idle cluster writes nothing. */
function needsWriting(before: BalancerRecord | null, next: BalancerRecord, cluster: Cluster): boolean {
  if (before === null) return true;
  const { revision: was, ...said } = before;
  const { revision: now, ...says } = next;
  if (JSON.stringify(said) !== JSON.stringify(says)) return true;
  return now > was && [...cluster.instances.values()].some((i) => i.value.phase === 'drain' && i.revision > was);
}
