import { type Cluster, instanceWord, type Meter, TELEMETRY, type TelemetryName, viewInstance } from '@reactor/core';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { HOST_STATES, hostState, knownHosts } from './host-views.js';

/** The meter the loops report to and the registry `/metrics` is rendered from. One per daemon. */
export interface Telemetry {
  readonly meter: Meter;
  readonly registry: Registry;
  /**
   * Counts instances and hosts by state as the cluster state has them now, and forgets endpoints that are gone. Null: the state is
   * away, so nobody knows.
   */
  refresh(cluster: Cluster | null): Promise<void>;
}

/** Seconds, from a fast round (10 ms) to a drain at its limit (300 s). */
const BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

type Metric = Counter<string> | Gauge<string> | Histogram<string>;

/** Makes one Prometheus metric per row of the TELEMETRY table. */
export function createMeter(): Telemetry {
  const registry = new Registry();
  const metrics = new Map<string, Metric>();
  for (const [name, { type, labels, help }] of Object.entries(TELEMETRY)) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    const metric =
      type === 'counter'
        ? new Counter(options)
        : type === 'gauge'
          ? new Gauge(options)
          : new Histogram({ ...options, buckets: BUCKETS });
    metrics.set(name, metric);
  }
  const meter = meterOver(metrics);
  return {
    meter,
    registry,
    refresh: async (cluster) => {
      meter.set('reactor_state_away', {}, cluster === null ? 1 : 0);
      if (cluster !== null) for (const [name, metric] of metrics) await dropGoneEndpoints(name as TelemetryName, metric, cluster);
      countByState(metrics, cluster);
    },
  };
}

function meterOver(metrics: ReadonlyMap<string, Metric>): Meter {
  const wrong = (name: TelemetryName, verb: string): never => {
    throw new TypeError(`telemetry: ${name} is a ${TELEMETRY[name].type} and takes no ${verb}`);
  };
  return {
    add(name, labels, by = 1) {
      const metric = metrics.get(name);
      if (metric instanceof Counter) metric.inc(labels, by);
      else wrong(name, 'add');
    },
    set(name, labels, value) {
      const metric = metrics.get(name);
      if (metric instanceof Gauge) metric.set(labels, value);
      else wrong(name, 'set');
    },
    observe(name, labels, seconds) {
      const metric = metrics.get(name);
      if (metric instanceof Histogram) metric.observe(labels, seconds);
      else wrong(name, 'observe');
    },
  };
}

/** Anew at every scrape: a state nobody is in any more has to fall to nothing, not keep its last count. */
function countByState(metrics: ReadonlyMap<string, Metric>, cluster: Cluster | null): void {
  const [instances, hosts] = [metrics.get('reactor_instances'), metrics.get('reactor_hosts')];
  if (!(instances instanceof Gauge && hosts instanceof Gauge)) return;
  instances.reset();
  hosts.reset();
  if (cluster === null) return;
  for (const instance of cluster.instances.values()) {
    const view = viewInstance(instance, cluster, () => 0);
    instances.inc({ endpoint: view.record.endpoint, state: instanceWord(view) });
  }
  // Nought, too: no series would be no news to whoever waits for a lost one.
  for (const state of HOST_STATES) hosts.set({ state }, 0);
  for (const host of knownHosts(cluster)) hosts.inc({ state: hostState(cluster, host) });
}

/** Without this every name an endpoint ever had would stay in the registry for the life of the daemon. */
async function dropGoneEndpoints(name: TelemetryName, metric: Metric, cluster: Cluster): Promise<void> {
  if (!(TELEMETRY[name].labels as readonly string[]).includes('endpoint')) return;
  const gone = new Map<string, Record<string, string | number>>();
  for (const { labels } of (await metric.get()).values) {
    // A histogram's values carry the bucket's `le`, which is not a label of the metric.
    const { le: _bucket, ...own } = labels as Record<string, string | number>;
    if (!cluster.endpoints.has(String(own['endpoint']))) gone.set(JSON.stringify(own), own);
  }
  for (const labels of gone.values()) metric.remove(labels);
}
