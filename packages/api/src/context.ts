import type { Cluster, ContainerEngine, LogLevel, RecordedBlock, StateStore, StateView, TrafficReport } from '@reactor/core';
import { createClusterReader, describeError, LOGS, TOPICS, trafficOfHosts } from '@reactor/core';
import type { Live } from './live.js';
import { type StoredSettings, settingsOf } from './settings.js';
import type { Telemetry } from './telemetry.js';
import type { ClaimChecker } from './url-claim.js';

/** What every handler works with. */
export interface ApiContext {
  readonly store: StateStore;
  readonly now: () => number;
  readonly newId: () => string;
  readonly version: string;
  readonly host: string;
  readonly health: () => { readonly ok: boolean; readonly problems: readonly string[] };
  readonly log: (level: LogLevel, message: string) => void;
  readonly telemetry: Telemetry;
  /** The whole cluster state, read now. */
  readonly moment: () => Promise<Moment>;
  /** This host's; null where the daemon runs no containers. */
  readonly engine: Pick<ContainerEngine, 'list' | 'output'> | null;
  readonly claims: ClaimChecker;
  /** What this host has recorded; null where it records nothing. */
  readonly history: MetricHistory | null;
  /** Why the key may not be cleared here; null when it may. */
  readonly keyNeeded: () => string | null;
  /** Takes a place among the bounded number of followers; null when all are taken. The function gives it back. */
  readonly follow: () => (() => void) | null;
  /** What open pages see. */
  readonly live: Live;
}

export interface MetricHistory {
  /** Of an endpoint in [sinceMs, untilMs], oldest first. */
  blocks(endpoint: string, sinceMs: number, untilMs: number): Iterable<RecordedBlock>;
}

/** Everything of one moment. */
export interface Moment {
  readonly cluster: Cluster;
  readonly settings: StoredSettings;
}

export const momentOf = (view: StateView, group = createClusterReader()): Moment => ({
  cluster: group(view),
  settings: settingsOf(view),
});

/** Reads the whole state; the last view is handed back to the store, which skips the transfer when nothing moved. */
export function momentReader(store: StateStore): () => Promise<Moment> {
  let view: StateView | undefined;
  let moment: Moment | undefined;
  const group = createClusterReader();
  return async () => {
    const fresh = await store.read('', view);
    if (moment === undefined || fresh !== view) moment = momentOf(fresh, group);
    view = fresh;
    return moment;
  };
}

/** What the load balancers said last. */
export async function trafficReports(context: ApiContext): Promise<readonly TrafficReport[]> {
  return [...(await trafficByHost(context)).values()];
}

/** The same by host. */
export async function trafficByHost({ store }: ApiContext): Promise<ReadonlyMap<string, TrafficReport>> {
  return trafficOfHosts(await store.latest(TOPICS.traffic));
}

/**
 * Writes to an endpoint's log what has just been committed. The commit stands whatever happens here, so a failure is
 * told to the daemon's log and not to the client, who would repeat the change.
 */
export async function recordEvent(
  context: ApiContext,
  endpoint: string,
  event: string,
  message: string,
  level: LogLevel = 'info',
): Promise<void> {
  try {
    await context.store.append(LOGS.endpoint(endpoint), [{ atMs: context.now(), level, event, message }]);
  } catch (error) {
    context.log('warning', `could not write ${event} to the log of '${endpoint}': ${describeError(error)}`);
  }
}
