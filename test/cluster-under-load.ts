import {
  type ClusterView,
  type Host,
  type Hosts,
  type HostsOptions,
  type Ledger,
  loadThrough,
  openHosts,
  openLedger,
  operationsOfClusterAtRest,
  type SpreadLoad,
  unexplained,
  until,
  viewOf,
} from '@reactor/testkit';

/**
 * Three real hosts that serve two endpoints under load, with an auditor: the stage on which tests break one thing after
 * the other. Every test ends with `accounted`.
 */
export interface ClusterUnderLoad {
  readonly cluster: Hosts;
  readonly view: ClusterView;
  readonly ledger: Ledger;
  /** `reactor update pyex` with the usual configuration but for this. */
  update(shape?: Shape, asked?: Host): Promise<string>;
  /** Waits until the state takes a write through the API of that host, and says how long that took after what. */
  writable(what: string, asked: Host): Promise<void>;
  /** Begins to send to both endpoints, through all hosts or those given. */
  loadBegins(targets?: readonly Host[]): void;
  /**
   * Ends the load, waits for rest, and demands: no request failed, none was answered by a container of the other endpoint,
   * the auditor saw nothing that must not be, Node warned of nothing in any daemon, and ten intervals pass in which nothing
   * at all is done.
   */
  accounted(what: string, exception?: Exception): Promise<void>;
  close(): Promise<void>;
}

export interface Exception {
  /** Only where there is no way to serve every request. */
  readonly failuresAllowed?: boolean;
  /** When a host died without a word, by `performance.now()`: what was under way to it then may be lost. */
  readonly deathMs?: number;
}

export interface Shape {
  readonly scaling?: string;
  /** For how long the instances of a lost host are not replaced; longer than most faults last unless given. */
  readonly unknownSeconds?: number;
  readonly url?: string;
  /** More lines of the section of the container. */
  readonly container?: string;
}

export const INSTANCES = 6;
/** Twelve instances of either endpoint fit on a host. */
export const SLOTS = 120;
const NEIGHBOURS = 3;
const NEIGHBOUR_PORT = 8001;
const PER_SECOND = 90;
const INTERVAL_SECONDS = 0.5;
/** Listeners that pile up, for one. */
const OF_NODE = /^\(node:\d+\) /;
/** What Sentinel or a Redis cluster takes to put another master in place, several times over, on a loaded machine. */
const FAILOVER_MS = 60_000;
const TEN_INTERVALS_MS = 10 * INTERVAL_SECONDS * 1_000;

export async function openClusterUnderLoad(options: HostsOptions = {}): Promise<ClusterUnderLoad> {
  const cluster = await openHosts(3, { slots: SLOTS, interval: INTERVAL_SECONDS, ...options });
  try {
    return await begin(cluster);
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

async function begin(cluster: Hosts): Promise<ClusterUnderLoad> {
  const [first] = cluster.hosts as readonly [Host];
  const view = viewOf(cluster);
  const ledger = await openLedger(cluster, 'pyex');
  const manage = async (name: string, shape: Shape, count: number): Promise<void> => {
    await first.reactor(['manage', name], configuration(cluster.image, shape));
    await first.reactor(['start', name]);
    await view.settled(name, count);
  };
  await first.reactor(['unmanage', 'apihttp']);
  await manage('pyex', {}, INSTANCES);
  await manage(
    'beta',
    { url: `http://:${NEIGHBOUR_PORT}`, scaling: `min_instances=${NEIGHBOURS}\nmax_instances=${NEIGHBOURS}` },
    NEIGHBOURS,
  );
  for (const host of cluster.hosts) await until(`${host.name} serves both`, 20_000, () => servesBoth(host));

  let loads: readonly [SpreadLoad, SpreadLoad] | null = null;
  const endLoads = async () => {
    const ending = loads;
    loads = null;
    return Promise.all((ending ?? []).map((load) => load.stop()));
  };
  const accounted = async (
    what: string,
    { failuresAllowed = false, deathMs = Number.NEGATIVE_INFINITY }: Exception = {},
  ): Promise<void> => {
    const [own, neighbour] = await endLoads();
    const failures = [...(own?.failures ?? []), ...(neighbour?.failures ?? [])];
    console.log(`${what}: ${(own?.sent ?? 0) + (neighbour?.sent ?? 0)} requests, ${failures.length} failed`);
    const operations = await operationsOfClusterAtRest(cluster, TEN_INTERVALS_MS);
    const astray = [...ledger.strangers('pyex', own?.instances ?? []), ...ledger.strangers('beta', neighbour?.instances ?? [])];
    const violations = await ledger.violations();
    const unexpected = failuresAllowed ? [] : [own, neighbour].flatMap((load) => (load ? unexplained(load, deathMs) : []));
    const warnings = cluster.hosts.flatMap(({ log }) =>
      log()
        .split('\n')
        .filter((line) => OF_NODE.test(line)),
    );
    expect({ failures: unexpected, astray, violations, operations, warnings }).toEqual({
      failures: [],
      astray: [],
      violations: [],
      operations: [],
      warnings: [],
    });
    // An auditor that saw nothing has found nothing.
    expect(own?.ok).toBeGreaterThan(0);
    expect(ledger.looks()).toBeGreaterThan(0);
  };
  const update: ClusterUnderLoad['update'] = (shape = {}, asked = first) =>
    asked.reactor(['update', 'pyex'], configuration(cluster.image, shape));
  return {
    cluster,
    view,
    ledger,
    update,
    writable: async (what, asked) => {
      const took = stopwatch();
      await until('a write through the API succeeds', FAILOVER_MS, () => update({}, asked).then(() => true));
      figure(`${what}: the state takes a write after ${took()}`);
    },
    loadBegins: (targets = cluster.hosts) => {
      loads = [loadThrough(targets, PER_SECOND), loadThrough(targets, PER_SECOND / 3, NEIGHBOUR_PORT)];
    },
    accounted,
    close: async () => {
      await endLoads();
      await ledger.close();
      await cluster.close();
    },
  };
}

export const configuration = (
  image: string,
  { scaling, unknownSeconds = 120, url = 'http://', container = '' }: Shape,
): string => `[endpoint]
url=${url}
cloud=docker
loadbalancer=nginx
port=5000
decommissioned_timeout=2
unknown_timeout=${unknownSeconds}
stop_timeout=2
[scaling]
window=4
scale_down_delay=2
${scaling ?? `min_instances=${INSTANCES}\nmax_instances=${INSTANCES}`}
[cloud:docker]
image=${image}
command=/usr/local/bin/runapp
${container}
`;

async function servesBoth(host: Host): Promise<boolean> {
  const ask = (port: number) => fetch(`http://${host.address}:${port}/`, { signal: AbortSignal.timeout(3_000) });
  return (await ask(80)).ok && (await ask(NEIGHBOUR_PORT)).ok;
}

/** Says what was measured. */
export const figure = (text: string): void => console.log(text);

export const stopwatch = (): (() => string) => {
  const sinceMs = performance.now();
  return () => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
};

/** For faults that have a length of their own. */
export const lasting = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
