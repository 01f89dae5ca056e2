import {
  type BalancerRecord,
  type Clock,
  type Cluster,
  describeError,
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

  const apply = async (services: readonly Service[]): Promise<Readonly<Record<string, string>> | null> => {
    try {
      const report = await balancer.apply(services);
      if (problem !== null) log('info', 'the load balancer takes changes up again');
      problem = null;
      return report.setAside;
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      const text = describeError(error);
      if (text !== problem) log('error', `load balancer: ${text}; it goes on with its last good configuration`);
      problem = text;
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
    const setAside = await apply(services);
    if (setAside !== null) tellAside(setAside);
    const before = cluster.balancers.get(host)?.value ?? null;
    const next = setAside === null ? refused(host, before, problem) : accepted(cluster, host, services, setAside);
    if (needsWriting(before, next, cluster)) {
      await store.commit({ expect: [], write: [{ key: KEYS.balancer(host), value: next as unknown as Json }] });
    }
    settled = problem === null && aside.size === 0 ? { ...seen, atMs } : null;
  };

  return { round, problem: () => problem };
}

function accepted(
  cluster: Cluster,
  host: string,
  services: readonly Service[],
  setAside: Readonly<Record<string, string>>,
): BalancerRecord {
  const serving = services
    .filter((service) => !(service.endpoint in setAside))
    .flatMap((service) => service.backends.map((backend) => backend.id))
    .filter((id) => (cluster.instances.get(id)?.value.phase ?? 'run') !== 'run')
    .sort();
  return { host, revision: newestIntent(cluster), serving, setAside, error: null };
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
