import type { At, Cluster } from './cluster.js';
import type { InstanceRecord, InstanceReport, InstanceWish } from './model.js';

/**
 * What an instance is, from what is meant (its record) and what is (its report):
 *
 *     starting ──▶ ready ◀──▶ unhealthy        dead: its container ended or never came up
 *                                             unknown: its host does not answer
 */
export type InstanceStatus = 'starting' | 'ready' | 'unhealthy' | 'dead' | 'unknown';

export interface InstanceView {
  readonly record: InstanceRecord;
  readonly revision: number;
  readonly report: InstanceReport | null;
  readonly status: InstanceStatus;
  /** What somebody wishes for it; null is nothing. */
  readonly wish: InstanceWish | null;
  /** Connections open to it, over all load balancers. */
  readonly active: number;
}

/** `active` is asked only when somebody wants to know: most instances of a round neither drain nor have to be chosen from. */
export function viewInstance(instance: At<InstanceRecord>, cluster: Cluster, active: () => number): InstanceView {
  const record = instance.value;
  const report = cluster.reports.get(record.id)?.value ?? null;
  return {
    record,
    revision: instance.revision,
    report,
    status: statusOf(record, report, cluster),
    wish: cluster.wishes.get(record.id)?.value ?? null,
    get active() {
      return active();
    },
  };
}

function statusOf(record: InstanceRecord, report: InstanceReport | null, cluster: Cluster): InstanceStatus {
  // Gone is gone, whether its host still answers or not.
  if (report?.state === 'gone') return 'dead';
  if (!cluster.hosts.has(record.host)) return 'unknown';
  if (report === null) return 'starting';
  switch (report.state) {
    case 'pulling':
    case 'starting':
      return 'starting';
    case 'exited':
      return 'dead';
    default:
      return report.state;
  }
}

/** Whether requests go to it while there is one like it. */
export const serves = ({ record, status, wish }: InstanceView): boolean =>
  record.phase === 'run' && status === 'ready' && wish?.kind !== 'drop';

/** The words people read for an instance: its status while it is meant to run, its phase afterwards. */
export type InstanceWord = InstanceStatus | 'dropped' | 'draining' | 'errored' | 'stopping';

export function instanceWord({ record, status, wish }: InstanceView): InstanceWord {
  if (record.phase === 'run') return status === 'ready' && wish?.kind === 'drop' ? 'dropped' : status;
  if (record.phase === 'remove') return 'stopping';
  return record.errored ? 'errored' : 'draining';
}

/** Whether an instance still takes room on its host: until its container is known to be dead. */
export function occupies(record: InstanceRecord, cluster: Cluster): boolean {
  const state = cluster.reports.get(record.id)?.value.state;
  return state !== 'exited' && state !== 'gone';
}

// ---------------------------------------------------------------------------------------------------------- back-off

/** Start failures of one endpoint; part of its history, so that a new leader goes on waiting. */
export interface StartFailures {
  readonly count: number;
  /** No start before this moment. */
  readonly notBeforeMs: number;
  /** The newest ones, for keeping away from hosts where starts fail. */
  readonly recent: readonly { readonly host: string; readonly atMs: number }[];
}

export const NO_FAILURES: StartFailures = { count: 0, notBeforeMs: 0, recent: [] };

const FIRST_BACKOFF_MS = 1_000;
/** A minute is short enough that a repaired image is tried soon, and long enough that a broken one costs nothing. */
const LONGEST_BACKOFF_MS = 60_000;
/** An endpoint that ran this long after its last failure starts counting anew. */
const FORGIVE_AFTER_MS = 120_000;
/** Placement looks back five minutes and needs three. */
const RECENT_MS = 300_000;
const RECENT_LIMIT = 32;

/** One more failed start on `host`. `random` in [0, 1) takes up to a quarter off the wait, so that endpoints do not retry in step. */
export function addFailure(failures: StartFailures, host: string, nowMs: number, random: () => number): StartFailures {
  const count = nowMs - failures.notBeforeMs > FORGIVE_AFTER_MS ? 1 : failures.count + 1;
  const wait = Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(count - 1, 10), LONGEST_BACKOFF_MS);
  const recent = [...failures.recent.filter((f) => nowMs - f.atMs < RECENT_MS), { host, atMs: nowMs }].slice(-RECENT_LIMIT);
  return { count, notBeforeMs: nowMs + Math.round(wait * (1 - random() / 4)), recent };
}

export function recentFailures(failures: StartFailures, host: string, nowMs: number): number {
  return failures.recent.filter((f) => f.host === host && nowMs - f.atMs < RECENT_MS).length;
}
