import type { Host } from './host.js';
import type { Hosts } from './hosts.js';
import { type LoadResult, startLoad } from './steady-load.js';
import { until } from './until.js';

/** A cluster of real hosts as its operators and its clients see it: asked of any host, answered by its API or its engines. */
export interface ClusterView {
  rows(endpoint: string, asked?: Host): Promise<readonly InstanceRow[]>;
  ready(endpoint: string, asked?: Host): Promise<readonly InstanceRow[]>;
  /** The host whose controller leads; undefined while none does. */
  leader(asked?: Host): Promise<Host | undefined>;
  liveHosts(asked?: Host): Promise<number>;
  others(...without: readonly Host[]): readonly Host[];
  /** Ids of the endpoint's containers that run, as the engines say; sorted. */
  containers(endpoint: string, of?: readonly Host[]): Promise<readonly string[]>;
  /** Waits until exactly `count` instances exist, all ready, each a container that runs. */
  settled(endpoint: string, count: number, asked?: Host): Promise<void>;
  /** Waits until all hosts are live and one leads. */
  whole(asked?: Host): Promise<void>;
}

export interface InstanceRow {
  readonly id: string;
  readonly host: string;
  readonly state: string;
}

/** Longer than the leases of a leader and of a host, and the first round after them. */
const CONVERGE_MS = 60_000;

export function viewOf(cluster: Hosts): ClusterView {
  const { hosts } = cluster;
  const first = hosts[0]!;
  const rows: ClusterView['rows'] = (endpoint, asked = first) => asked.get(`/v1.1/endpoints/${endpoint}/instances?detail=1`);
  const table = (asked: Host): Promise<readonly { readonly name: string; readonly state: string; readonly leader: boolean }[]> =>
    asked.get('/v1.1/hosts');
  const leader: ClusterView['leader'] = async (asked = first) => {
    const name = (await table(asked)).find((row) => row.leader)?.name;
    return hosts.find((host) => host.name === name);
  };
  const liveHosts: ClusterView['liveHosts'] = async (asked = first) =>
    (await table(asked)).filter(({ state }) => state === 'ready').length;
  const containers: ClusterView['containers'] = async (endpoint, of = hosts) =>
    (await Promise.all(of.map((host) => host.containers(endpoint)))).flat().sort();
  return {
    rows,
    ready: async (endpoint, asked = first) => (await rows(endpoint, asked)).filter(({ state }) => state === 'ready'),
    leader,
    liveHosts,
    others: (...without) => hosts.filter((host) => !without.includes(host)),
    containers,
    settled: (endpoint, count, asked = first) =>
      until(`exactly ${count} instances of ${endpoint} exist, all ready, each a container`, CONVERGE_MS, async () => {
        const all = await rows(endpoint, asked);
        const running = (await containers(endpoint)).length;
        if (all.length === count && running === count && all.every(({ state }) => state === 'ready')) return true;
        throw new Error(`${running} containers; ${all.map(({ id, host, state }) => `${id} on ${host} ${state}`).join(', ')}`);
      }),
    whole: (asked = first) =>
      until('all hosts are live and one leads', CONVERGE_MS, async () => {
        return (await liveHosts(asked)) === hosts.length && (await leader(asked)) !== undefined;
      }),
  };
}

/** A load that is spread evenly over the load balancers of several hosts. */
export interface SpreadLoad {
  stop(): Promise<SpreadResult>;
  readonly result: () => SpreadResult;
}

export interface SpreadResult {
  readonly sent: number;
  readonly ok: number;
  /** The reasons of the first failures. */
  readonly failures: readonly string[];
  /** When each of those was sent, by `performance.now()`. */
  readonly failedSentMs: readonly number[];
  /** Containers that answered (X-Instance). */
  readonly instances: ReadonlySet<string>;
}

/** @param port where the endpoint is served; 80 unless given. */
export function loadThrough(targets: readonly Host[], perSecond: number, port = 80): SpreadLoad {
  const most = MOST_REQUESTS / targets.length;
  const loads = targets.map(({ address }) =>
    startLoad({ url: `http://${address}:${port}/`, perSecond: perSecond / targets.length, most }),
  );
  const together = (results: readonly LoadResult[]): SpreadResult => ({
    sent: results.reduce((sum, { sent }) => sum + sent, 0),
    ok: results.reduce((sum, { ok }) => sum + ok, 0),
    failures: results.flatMap(({ failures }, index) => failures.map((failure) => `${targets[index]?.name}: ${failure}`)),
    failedSentMs: results.flatMap(({ failedSentMs }) => failedSentMs),
    instances: new Set(results.flatMap(({ instances }) => [...instances.keys()])),
  });
  return {
    stop: async () => together(await Promise.all(loads.map((load) => load.stop()))),
    result: () => together(loads.map((load) => load.result())),
  };
}

/**
 * Failures that the death of a host at `deathMs` (`performance.now()`) cannot explain. A load balancer keeps connections
 * open for the next request, at most `POOLED_MS` after the last one; what it sends over one whose other end has just died
 * without a word is as lost as what was under way.
 */
export function unexplained({ failures, failedSentMs }: SpreadResult, deathMs: number): readonly string[] {
  return failures
    .map((failure, index) => ({ failure, afterMs: failedSentMs[index]! - deathMs }))
    .filter(({ afterMs }) => afterMs > POOLED_MS)
    .map(({ failure, afterMs }) => `${failure}, sent ${Math.round(afterMs)} ms after the death`);
}

/** One second, and how late a loaded nginx may notice that it is over. */
export const POOLED_MS = 1_500;

/** More than any test sends: whoever forgets to stop it, it stops by itself. */
const MOST_REQUESTS = 120_000;
