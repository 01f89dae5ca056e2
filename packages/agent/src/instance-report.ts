import {
  type Cluster,
  type Commit,
  type Container,
  describeExit,
  type InstanceRecord,
  type InstanceReport,
  type Json,
  KEYS,
} from '@reactor/core';
import { type Health, UNREADY } from './health.js';

/**
 * What the agent says of one instance, from what is meant (record), what Docker lists (container), what it said before
 * (known) and what it is doing about it. Pure.
 */
export interface Evidence {
  readonly record: InstanceRecord;
  readonly container: Container | null;
  readonly known: InstanceReport | null;
  readonly health: Health;
  /** What the agent is at, null when nothing. */
  readonly task: 'pulling' | 'starting' | 'removing' | null;
  /** Why it could not be started; null when it was, or is yet to be. */
  readonly startFailure: string | null;
  /** This host's load balancer gives it no other client; see `BackendTraffic.spent`. */
  readonly spent?: boolean;
}

export function reportOf(evidence: Evidence): InstanceReport {
  const { record, container, known, task } = evidence;
  if (container === null) return withoutContainer(evidence);
  const said: Said = {
    containerId: container.id,
    startedAtMs: container.startedAtMs,
    address: container.address,
    ...(container.tokenHash === null ? {} : { tokenHash: container.tokenHash }),
  };
  if (record.phase === 'remove' && known !== null) return known;
  if (task === 'starting' || task === 'pulling') return report(record, task, UNREADY, said);
  if (container.status === 'created') {
    // Given up half way: nobody will start it any more, so it must not be waited for.
    if (evidence.startFailure !== null) return report(record, 'exited', { ...UNREADY, error: evidence.startFailure }, said);
    return report(record, 'starting', UNREADY, said);
  }
  switch (container.status) {
    case 'running':
      return running(evidence, said);
    case 'paused':
      return report(record, 'unhealthy', { ...evidence.health, error: 'its container is paused' }, said);
    case 'restarting':
      return report(record, 'starting', evidence.health, said);
    default:
      return report(
        record,
        'exited',
        { ...evidence.health, error: `its container ${describeExit(container.exitCode, container.oomKilled)}` },
        { ...said, address: null },
      );
  }
}

function withoutContainer({ record, known, task, startFailure, health }: Evidence): InstanceReport {
  const nothing = { containerId: null, startedAtMs: null, address: null };
  const before: Health = {
    ...health,
    wasReady: health.wasReady || (known?.wasReady ?? false),
    readyAtMs: health.readyAtMs ?? known?.readyAtMs ?? null,
  };
  // Whatever is meant by now: what is being started will be there in a moment, and must not be forgotten before.
  if (task === 'pulling' || task === 'starting') return report(record, task, UNREADY, nothing);
  if (record.phase === 'remove') return report(record, 'gone', { ...before, error: null }, nothing);
  if (startFailure !== null) return report(record, 'exited', { ...UNREADY, error: startFailure }, nothing);
  const had = known !== null && known.containerId !== null;
  if (had || known?.state === 'gone')
    return report(record, 'gone', { ...before, error: 'its container was removed by somebody else' }, nothing);
  // A drain before the start: it will never be started.
  if (record.phase === 'drain') return report(record, 'gone', UNREADY, nothing);
  return report(record, 'starting', UNREADY, nothing);
}

function running({ record, known, health, spent }: Evidence, said: Said): InstanceReport {
  // Said of this very container before, it stays true, whatever a load balancer that has restarted remembers.
  if (spent || (known?.spent && known.containerId === said.containerId)) {
    return { ...report(record, 'unhealthy', { ...health, error: 'used up by a session (disposable)' }, said), spent: true };
  }
  if (health.ready) return report(record, 'ready', health, said);
  return report(record, health.failed ? 'unhealthy' : 'starting', health, said);
}

type Said = Pick<InstanceReport, 'containerId' | 'startedAtMs' | 'address' | 'tokenHash'>;

function report(record: InstanceRecord, state: InstanceReport['state'], health: Health, said: Said): InstanceReport {
  return {
    id: record.id,
    endpoint: record.endpoint,
    host: record.host,
    state,
    ...said,
    readyAtMs: health.readyAtMs,
    marks: health.marks,
    wasReady: health.wasReady,
    error: health.error,
  };
}

/** The health a former daemon knew of this very container; unready when it is another one. */
export function rememberedHealth(known: InstanceReport | null, container: Container): Health {
  if (known === null || known.containerId !== container.id || known.startedAtMs !== container.startedAtMs) return UNREADY;
  const { marks, wasReady, readyAtMs, error } = known;
  return { ready: known.state === 'ready', wasReady, readyAtMs, marks, failed: known.state === 'unhealthy', error };
}

/** Reports that differ from what the state has, and deletions of those whose instance is forgotten; a view that is not admitted may merely have lost it. */
export function changedReports(
  cluster: Cluster,
  host: string,
  reports: readonly InstanceReport[],
  admitted: boolean,
): Commit | null {
  const write: { key: string; value: Json }[] = [];
  for (const report of reports) {
    const stored = cluster.reports.get(report.id)?.value;
    if (JSON.stringify(stored) !== JSON.stringify(report))
      write.push({ key: KEYS.report(host, report.id), value: { ...report } });
  }
  for (const { value: stored } of cluster.reports.values()) {
    if (admitted && stored.host === host && !cluster.instances.has(stored.id))
      write.push({ key: KEYS.report(host, stored.id), value: null });
  }
  return write.length === 0 ? null : { expect: [], write };
}
