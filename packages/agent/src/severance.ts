import { type Cluster, describeError, type LogLevel } from '@reactor/core';
import type { Connections } from './kernel-connections.js';
import { type Probe, probe, type Target } from './probe.js';

/**
 * Ends this machine's connections to instances of a machine that has died without a word. Nothing tells their holders: a load
 * balancer that had sent a request over one waits for its time-out, a minute, while the other backends are idle. Ended, the
 * connection is an error like any other, and a request that may be repeated goes to the next backend at once.
 *
 * 1. A connection is ended when what was sent over it was repeated in vain for seconds.
 * 2. All those to an instance are, when one to its machine was, and the instance does not take a new one either: a request
 *    that was received waits for its answer without a sign of life on the connection.
 * 3. Only those to instances of other hosts, as the cluster state had them last; it may itself be away.
 */
export interface Severance {
  /** Looks once. */
  round(cluster: Cluster): Promise<void>;
  /** Ends all connections to an instance that is known not to answer. */
  sever(target: Target): Promise<void>;
}

export interface SeveranceOptions {
  readonly connections: Connections;
  readonly probe?: Probe | undefined;
  readonly host: string;
  readonly log: (level: LogLevel, message: string) => void;
}

/** As long as nginx waits for a connection to a backend. */
const CONNECT_MS = 2_000;

export function createSeverance(options: SeveranceOptions): Severance {
  const { connections, host, log } = options;
  let lastFailure = '';

  /** Without it all goes on as before, only later: a machine without `ss` is told once. */
  const end = async (...which: Parameters<Connections['end']>): Promise<number> => {
    try {
      return await connections.end(which[0]);
    } catch (error) {
      const failure = describeError(error);
      if (failure !== lastFailure) log('warning', `connections to a dead machine cannot be ended: ${failure}`);
      lastFailure = failure;
      return 0;
    }
  };

  const round = async (cluster: Cluster): Promise<void> => {
    const peers = peersOf(cluster, host);
    if (peers.size === 0) return;
    const vain = (await connections.unanswered()).filter(({ remote }) => peers.has(keyOf(remote)));
    if (vain.length === 0) return;
    const machines = new Set(vain.map(({ remote }) => remote.host));
    const ended = await end(vain);
    const suspects = [...peers.values()].filter((target) => machines.has(target.host));
    const answers = await Promise.all(suspects.map((target) => (options.probe ?? probe)(target, null, CONNECT_MS)));
    const silent = suspects.filter((_, index) => answers[index] !== null);
    const more = silent.length === 0 ? 0 : await end(silent.map((remote) => ({ remote })));
    if (ended + more === 0) return;
    log(
      'warning',
      `${[...machines].sort().join(', ')}: what was sent there is not acknowledged, and ${silent.length} of ${suspects.length} instances take no connection: ${ended + more} connections ended`,
    );
  };
  return { round, sever: async (remote) => void (await end([{ remote }])) };
}

const keyOf = ({ host, port }: Target): string => `${host} ${port}`;

/** Where instances of other hosts are reached. */
function peersOf(cluster: Cluster, host: string): ReadonlyMap<string, Target> {
  const peers = new Map<string, Target>();
  for (const { value: report } of cluster.reports.values()) {
    if (report.host !== host && report.address !== null) peers.set(keyOf(report.address), report.address);
  }
  return peers;
}
